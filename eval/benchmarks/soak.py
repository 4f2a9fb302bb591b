"""An hour under load with updates, to find failing calls and growing memory, threads or open files.

    python -m eval.benchmarks.soak --minutes 60

First, clients send questions as fast as they are answered while documents change; this measures the capacity. Then
questions arrive at random (a Poisson process) at 80 % of that rate, however long the answers take.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import click
import httpx
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from msgspec import Struct, field

from eval.benchmarks.bench import DATA, OWN, fresh_index
from eval.benchmarks.service import Served, served
from eval.benchmarks.systems import passages_of
from eval.benchmarks.updates import Change, small
from eval.datasets.loading import load
from eval.runs.latency import percentiles
from eval.runs.results import markdown_table, provenance, write_part

SHARE = 0.8  # of the capacity
SATURATION = 8  # clients
CHANGES_A_SECOND = 2.0
SAMPLE_S = 10.0
WARM = 1 / 3  # share of the time before the first comparison: versions are kept for ten minutes
COMPARED = 1 / 6  # share of the time, at each end of the compared range
CONNECTIONS = 128
TIMEOUT_S = 60
SEED = 20268
CHART = Path(__file__).parents[1] / "soak.png"


class Soaked(Struct):
    """The measurements; times in seconds since the start, latencies in milliseconds."""

    answered: list[tuple[float, float]] = field(default_factory=list)  # time of the request, latency
    failed: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    samples: list[tuple[float, float, int, int]] = field(default_factory=list)  # time, MiB, threads, descriptors


class Soak:
    def __init__(self, service: Served, questions: Sequence[str], changes: Iterator[Change]) -> None:
        self.service = service
        self.questions = questions
        self.changes = changes
        self.chooser = random.Random(SEED)  # noqa: S311  # the same run again, not a secret
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        self.http = httpx.AsyncClient(base_url=service.url, timeout=TIMEOUT_S, limits=limits)

    async def capacity(self, seconds: float) -> float:
        """Answers per second while SATURATION clients ask without a pause and documents change."""
        soaked = Soaked()
        started = time.monotonic()

        async def client() -> None:
            while time.monotonic() - started < seconds:
                await self.ask(soaked, started)

        async with asyncio.TaskGroup() as clients:
            changing = clients.create_task(self.change_steadily(soaked))
            asking = [clients.create_task(client()) for _ in range(SATURATION)]
            await asyncio.gather(*asking)
            changing.cancel()
        return len(soaked.answered) / (time.monotonic() - started)

    async def run(self, seconds: float, rate: float) -> Soaked:
        soaked = Soaked()
        started = due = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(self.change_steadily(soaked)), tasks.create_task(self.watch(soaked, started))]
            while due - started < seconds:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                tasks.create_task(self.ask(soaked, started))
                due += self.chooser.expovariate(rate)
            for each in beside:
                each.cancel()
        await self.http.aclose()
        return soaked

    async def ask(self, soaked: Soaked, started: float) -> None:
        begun = time.monotonic()
        body = {"question": self.chooser.choice(self.questions)}
        if await self.sent(soaked, "POST", "/v1/ask", json=body):
            soaked.answered.append((begun - started, 1000 * (time.monotonic() - begun)))

    async def change_steadily(self, soaked: Soaked) -> None:
        """Change documents one after another, at a steady rate if they are fast enough."""
        due = time.monotonic()
        while True:
            change = next(self.changes)
            path = f"/v1/documents/{quote(change.source)}"
            if change.text is None:
                succeeded = await self.sent(soaked, "DELETE", path)
            else:
                succeeded = await self.sent(soaked, "PUT", path, content=change.text.encode())
            soaked.changed += succeeded
            due += 1 / CHANGES_A_SECOND
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def sent(self, soaked: Soaked, method: str, path: str, **body: object) -> bool:
        try:
            response = await self.http.request(method, path, **body)  # type: ignore[arg-type]
        except httpx.TransportError as error:
            soaked.failed[type(error).__name__] += 1
            return False
        if not response.is_success:
            soaked.failed[f"{method} {response.status_code}"] += 1
        return response.is_success

    async def watch(self, soaked: Soaked, started: float) -> None:
        while True:
            service = self.service
            now = time.monotonic() - started
            soaked.samples.append((now, service.mebibytes(), service.threads(), service.descriptors()))
            if len(soaked.samples) % 30 == 0:
                click.echo(f"  {now / 60:.0f} min: {len(soaked.answered):,} answers, {soaked.samples[-1]}", err=True)
            await asyncio.sleep(SAMPLE_S)


@click.command()
@click.option("--minutes", default=60.0, show_default=True)
@click.option("--data", type=click.Path(path_type=Path), default=DATA / "squad2", show_default=True)
def main(minutes: float, data: Path) -> None:
    """Ask for an hour while documents change, and rewrite this part of RESULTS.md."""
    dataset = load(data if data.is_dir() else OWN / "seeds")
    with tempfile.TemporaryDirectory(prefix="pincite-soak-") as folder:
        built = fresh_index(dataset, Path(folder, "index"))
        texts = [passage.text for passage in passages_of(built.index)]
        changes = small(texts, random.Random(SEED))  # noqa: S311
        with served(built.index, PINCITE_CACHE_BYTES="0") as service:
            rate, soaked = asyncio.run(
                soak(Soak(service, [question.text for question in dataset.questions], changes), minutes)
            )
    text = report(dataset.name, rate, soaked, minutes)
    click.echo(text)
    plot(soaked, minutes, CHART)
    write_part("soak", text)


async def soak(soaking: Soak, minutes: float) -> tuple[float, Soaked]:
    capacity = await soaking.capacity(min(60.0, 60 * minutes))
    click.echo(f"{capacity:.1f} answers a second at the most", err=True)
    return capacity, await soaking.run(60 * minutes, SHARE * capacity)


def report(name: str, capacity: float, soaked: Soaked, minutes: float) -> str:
    seconds, part = 60 * minutes, 60 * minutes * COMPARED
    windows = [(WARM * seconds, WARM * seconds + part), (seconds - part, seconds)]

    def row(what: str, place: int) -> list[str]:
        first, last = (
            float(np.mean([each[place] for each in soaked.samples if start <= each[0] < end])) for start, end in windows
        )
        return [what, f"{first:.1f}", f"{last:.1f}", f"{last / first - 1:+.1%}"]

    first, last = (
        percentiles([took for start_time, took in soaked.answered if start <= start_time < end])
        for start, end in windows
    )
    rows = [row("memory, MiB", 1), row("threads", 2), row("open files", 3)]
    for percentile in ("p50", "p95", "p99"):
        before, after = getattr(first, percentile), getattr(last, percentile)
        rows.append([f"{percentile}, ms", f"{before:.0f}", f"{after:.0f}", f"{after / before - 1:+.1%}"])
    length = f"{part / 60:.0f} minutes"
    head = ["", f"{length} from minute {WARM * minutes:.0f}", f"the last {length}", "change"]
    failed = ", ".join(f"{count} × {what}" for what, count in sorted(soaked.failed.items())) or "none"
    about = (
        f"{minutes:.0f} minutes on {name}: questions at random moments, {SHARE * capacity:.1f} a second, which is "
        f"{SHARE:.0%} of the {capacity:.1f} that {SATURATION} clients get, and {CHANGES_A_SECOND:.0f} changes a "
        f"second, a third of them deletes. {len(soaked.answered):,} questions were answered and {soaked.changed:,} "
        f"changes made; failed calls: {failed}."
    )
    table = markdown_table(head, rows)
    return f"## An hour of load\n\n{about}\n\n{table}\n\n![]({CHART.name})\n\n{provenance('make soak')}"


def plot(soaked: Soaked, minutes: float, path: Path) -> None:
    """Memory and latency over time."""
    figure = Figure(figsize=(9, 3), layout="constrained", dpi=80)
    FigureCanvasAgg(figure)
    memory, latency = figure.subplots(1, 2).flat
    memory.plot([each[0] / 60 for each in soaked.samples], [each[1] for each in soaked.samples])
    memory.set(title="resident memory", xlabel="minutes", ylabel="MiB")
    memory.set_ylim(bottom=0)
    windows = np.linspace(0, 60 * minutes, 31)
    start_times, took = np.array(soaked.answered).T
    places = np.digitize(start_times, windows)
    filled = np.unique(places)
    for percentile in (50, 95, 99):
        values = [np.percentile(took[places == place], percentile) for place in filled]
        latency.plot(windows[filled - 1] / 60, values, label=f"p{percentile}")
    latency.set(title="latency", xlabel="minutes", ylabel="ms", yscale="log")
    latency.legend(frameon=False, fontsize=8)
    for axes in (memory, latency):
        axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Software": None})


if __name__ == "__main__":
    main()
