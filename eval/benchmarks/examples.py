"""Records the examples of the documentation: the service's responses over seeds/.

python -m eval.benchmarks.examples
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import click
import msgspec
from litestar.testing import TestClient

from index.collections.build import build
from index.collections.writer import build_writer
from service.answering.answering import Answering
from service.http.app import create_app
from service.http.examples import CALLS, RECORDED
from service.settings import Settings

SEEDS = Path(__file__).parents[2] / "seeds"


def recorded(index: Path) -> dict[str, object]:
    """The response to each example, from an index of seeds/."""
    settings = Settings.from_env({}, allow_anonymous_writes=True)
    answers = {}
    with TestClient(create_app(Answering.open(index), settings)) as client:
        for name, call in CALLS.items():
            response = client.request(call.method, call.path, json=call.body)
            response.raise_for_status()
            answers[name] = response.json()
    return answers


@click.command()
def main() -> None:
    """Build an index of seeds/, ask it, and write service/examples.json."""
    with TemporaryDirectory() as folder:
        with build_writer(Path(folder)) as writer:
            build(writer, [SEEDS])
        answers = recorded(Path(folder))
    RECORDED.write_bytes(msgspec.json.format(msgspec.json.encode(answers), indent=2) + b"\n")


if __name__ == "__main__":
    main()
