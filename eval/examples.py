"""Records the examples of the documentation: what the service answers over seeds/.

python -m eval.examples
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import click
import msgspec
from litestar.testing import TestClient

from eval.cli import config_of
from index.writer import build
from service.answering import Answering
from service.app import create_app
from service.examples import CALLS, RECORDED
from service.settings import Settings

SEEDS = Path(__file__).parent.parent / "seeds"


def recorded(index: Path) -> dict[str, object]:
    """The answer to every example, from an index of seeds/."""
    settings = Settings.from_env({}, allow_anonymous=True)
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
        build([SEEDS], Path(folder), config=config_of)
        answers = recorded(Path(folder))
    RECORDED.write_bytes(msgspec.json.format(msgspec.json.encode(answers), indent=2) + b"\n")


if __name__ == "__main__":
    main()
