"""The page at `/` in Debian's Chromium: transfer size, paint times, layout shifts, and scrolling through a long source.

    python -m eval.benchmarks.pages

Playwright is in `dev`. The service runs on loopback, over `seeds/`, then over a document of 2 MB made of them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import quote

import click
from playwright.sync_api import Browser, Page, sync_playwright

from eval.runs.results import markdown_table, provenance, write_part

CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
SEEDS = Path(__file__).parents[2] / "seeds"
LONG = 2_000_000  # bytes
VISITS = 9
ASKED = "Who holds the G-7 presidency this year?"
PATIENCE = 120_000  # milliseconds

TITLE = "## Answers in a page"
EXPLANATION = (
    "First visits to `/?q=…` in headless Chromium without a GPU, nothing cached, the service on the same "
    "machine. Then a source of 2 MB is scrolled through in 300 frames; a frame of 16.7 ms is 60 in a second."
)

OBSERVED = """
window.shifts = 0;
const add = (list) => list.getEntries().forEach((each) => (window.shifts += each.hadRecentInput ? 0 : each.value));
new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
"""
PAINTED = """() => {
  const sent = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  const files = sent.filter((each) => !new URL(each.name).pathname.match(/^\\/(v1|ready)/));
  return {
    bytes: files.reduce((sum, each) => sum + each.transferSize, 0),
    painted: performance.getEntriesByName("first-contentful-paint")[0].startTime,
    interactive: performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd,
    shifts: window.shifts,
  };
}"""
# Each frame scrolls a step; the time between frames is measured.
SCROLLED = """async (source) => {
  const viewer = document.querySelector("#source");
  viewer.classList.add("open");
  const began = performance.now();
  const text = await viewer.open(source);
  await new Promise((frame) => requestAnimationFrame(() => requestAnimationFrame(frame)));
  const shown = performance.now() - began;
  const box = viewer.shadowRoot.querySelector("[part=text]");
  const frames = [];
  let last = await new Promise(requestAnimationFrame);
  for (let frame = 0; frame < 300; frame++) {
    box.scrollTop = ((box.scrollHeight - box.clientHeight) * frame) / 300;
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
  }
  frames.sort((a, b) => a - b);
  return { units: text.length, shown, median: frames[150], late: frames[285] };
}"""


@contextmanager
def served(documents: Path, index: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "pincite", "serve", str(documents), "--index", str(index), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield next(line.split()[-1] for line in process.stdout or () if "is ready at" in line)
        finally:
            process.terminate()


def long_text() -> str:
    texts = "\n\n".join(path.read_text(encoding="utf-8") for path in sorted(SEEDS.rglob("*.*")))
    return texts * (LONG // len(texts.encode()) + 1)


def visited(browser: Browser, address: str) -> dict[str, float]:
    """A first visit to a link with a question, without a cache."""
    page = opened(browser, f"{address}/?q={quote(ASKED)}")
    page.locator("pincite-answer article").first.wait_for(timeout=PATIENCE)
    page.wait_for_timeout(500)
    timings: dict[str, float] = page.evaluate(PAINTED)
    page.context.close()
    return timings


def opened(browser: Browser, url: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.add_init_script(OBSERVED)
    page.goto(url)
    return page


@click.command()
def main() -> None:
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        with served(SEEDS, Path(place, "seeds")) as address:
            visits = [visited(browser, address) for _ in range(VISITS)]
        documents = Path(place, "documents")
        documents.mkdir()
        (documents / "long.txt").write_text(long_text(), encoding="utf-8")
        with served(documents, Path(place, "long")) as address:
            scrolled: dict[str, float] = opened(browser, address).evaluate(SCROLLED, "long.txt")
        show({name: median(each[name] for each in visits) for name in visits[0]}, scrolled)


def show(visit: dict[str, float], scrolled: dict[str, float]) -> None:
    rows = [
        ("sent for the page, with heads", f"{visit['bytes'] / 1000:.1f} kB"),
        ("first contentful paint", f"{visit['painted']:.0f} ms"),
        ("scripts have run", f"{visit['interactive']:.0f} ms"),
        ("cumulative layout shift, with an answer", f"{visit['shifts']:.4f}"),
        (f"a source of {scrolled['units'] / 1e6:.2f} million UTF-16 units is shown", f"{scrolled['shown']:.0f} ms"),
        ("a frame while it is scrolled through in 300, median", f"{scrolled['median']:.1f} ms"),
        ("the same, 95 %", f"{scrolled['late']:.1f} ms"),
    ]
    table = markdown_table(("measured", f"median of {VISITS}"), rows)
    write_part("pages", "\n\n".join([TITLE, EXPLANATION, provenance("python -m eval.benchmarks.pages"), table]))
    click.echo(table)


if __name__ == "__main__":
    main()
