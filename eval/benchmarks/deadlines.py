"""Questions with a deadline: whether it is met, and how much work is still done, by number of clients.

    python -m eval.benchmarks.deadlines --out runs/deadlines

Needs wrk, whose clients send the next question as soon as they have an answer. They share the machine with the service.
"""

from __future__ import annotations

from pathlib import Path

import click
import httpx
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from eval.benchmarks.load import own
from eval.benchmarks.service import Served, served
from eval.benchmarks.wrk import bodies_of, require_wrk, wrk
from eval.runs.results import markdown_table, provenance, write_part

CLIENTS = (1, 8, 32)
DEADLINES = (50, 100, 200, 400)
STAGES = ("retrieve", "read", "read-on")

ABOUT = (
    "{seconds} s each, on our own test set: {documents} documents, {passages} passages. What a question had in its "
    "time: nothing, passages that were found and not read, or passages that were read, for some of them fewer than "
    "without a deadline."
)


class Counts(Struct, frozen=True):
    """Answers of the service so far, and how often it skipped each stage."""

    answers: float
    skipped: dict[str, float]

    @classmethod
    def of(cls, service: Served) -> Counts:
        samples = text_string_to_metric_families(httpx.get(f"{service.url}/metrics").text)
        families = {family.name: family.samples for family in samples}
        answers = sum(sample.value for sample in families["pincite_answers"] if sample.name.endswith("_total"))
        skipped = {sample.labels["stage"]: sample.value for sample in families["pincite_stages_skipped"]}
        return cls(answers, skipped)

    def shares_since(self, before: Counts) -> list[float]:
        """Shares of the answers since then: no work done, passages only, passages read, of these fewer read."""
        nothing, unread, fewer = (self.skipped[stage] - before.skipped[stage] for stage in STAGES)
        answers = self.answers - before.answers
        return [count / answers for count in (nothing, unread - nothing, answers - unread, fewer)]


@click.command()
@click.option("--seconds", default=15, show_default=True, help="Seconds for each number of clients and each deadline.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("runs/deadlines"), show_default=True
)
def main(seconds: int, out: Path) -> None:
    """Ask with deadlines, and record how well they are met."""
    require_wrk()
    out.mkdir(parents=True, exist_ok=True)
    corpus = own(out)
    rows = []
    with served(corpus.index, PINCITE_CACHE_BYTES="0") as service:
        wrk(service, bodies_of(corpus.questions, out), 2, 5)  # from here on, the service has estimates of its durations
        for clients in CLIENTS:
            for deadline in DEADLINES:
                bodies = bodies_of(corpus.questions, out, deadline_ms=deadline)
                before = Counts.of(service)
                result = wrk(service, bodies, clients, seconds)
                rows.append(
                    [
                        *(str(clients), str(deadline), f"{result.p50:.0f}", f"{result.p99:.0f}"),
                        f"{result.p99 / deadline:.2f}",
                        f"{result.per_second:.0f}",
                        *(f"{share:.0%}" for share in Counts.of(service).shares_since(before)),
                        str(result.failed),
                    ]
                )
        counts = service.index_info()
    head = ["clients", "deadline_ms", "p50, ms", "p99, ms", "p99 / deadline", "responses/s"]
    head += ["nothing", "passages found", "passages read", "fewer read", "failed"]
    about = ABOUT.format(seconds=seconds, documents=counts.documents, passages=counts.passages)
    text = "\n\n".join(["## Deadlines", about, markdown_table(head, rows), provenance("make bench-deadlines")])
    click.echo(text)
    write_part("deadlines", text)


if __name__ == "__main__":
    main()
