"""The components in a page of another origin, the page at `/`, and the examples."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from index.storage.layout import Layout
from service.auth.keys import READ_ONLY, Keyring
from service.http.pages import EMBEDDED, OWN, PAGES, PATHS, STATIC
from tests.conftest import built
from tests.support.browsing import Host, chromium, hosting, needs_chromium
from tests.support.commands import ROOT, serving

pytestmark = needs_chromium

FERRY = "When does the ferry leave Aldhaven?"
NOWHERE = "Which composer wrote the national anthem of Peru?"
EVIL = '<img src=x onerror="window.hacked=1">'
ENOUGH = 60_000  # milliseconds, generous for a busy machine
DOCUMENTS = {
    "ferry.txt": "The ferry leaves Aldhaven at 7:40 each morning. It returns at noon.\n\nDogs travel free.\n",
    "pilots.txt": "Pilots board every ship longer than 90 metres. The pilot station lies on Gull Island.\n",
    "bridge.txt": "The Old Mill Bridge was opened to traffic in 1871. It is 84 metres long.\n",
    "guide.txt": "The Old Mill Bridge was opened to traffic in 1884, according to the county guide.\n",
    "emoji 🙂.txt": "🙂 🙂\r\n\r\nZoë 🙂👩‍👩‍👧 sold the yellow bicycle to Ingrid 🚲 in March.\r\nIt is gone.\r\n",
    "arabic.txt": "ميناء 🙂\n\nتغادر العبارة ميناء الدهفن كل صباح عند الساعة السابعة. تعود العبارة ظهرا.\n",
    "cjk.txt": "渡船🙂\n\n渡船𠮷丸每天早上七點四十分離開港口。中午返回。\n",
}
POLICY = "default-src 'none'; script-src {0}; connect-src {0}; base-uri 'none'; require-trusted-types-for 'script'"


class World(NamedTuple):
    address: str
    owner: httpx.Client
    token: str
    reader: str
    host: Host

    def page(self, path: str, body: str) -> str:
        """The host page that loads the components."""
        head = f'<title>A host</title><script type="module" src="{self.address}/embed.js"></script>'
        main = f"<main><h1>A host</h1>{body}</main>"
        return self.host.put(path, f'<!doctype html><html lang="en"><head>{head}</head><body>{main}</body></html>')

    def put(self, source: str, text: str, **described: str) -> None:
        url, headers = f"/v1/documents/{quote(source)}", {"Content-Type": "text/plain"}
        self.owner.put(url, content=text.encode(), params=described, headers=headers).raise_for_status()

    @property
    def attributes(self) -> str:
        return f'endpoint="{self.address}" token="{self.token}"'


@pytest.fixture(scope="module")
def world(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    documents, folder = tmp_path_factory.mktemp("pages"), tmp_path_factory.mktemp("index")
    for source, text in DOCUMENTS.items():
        (documents / source).write_bytes(text.encode())
    built(documents, exported, folder)
    ring = Keyring(Layout(folder).keys)
    admin, _ = ring.make(["admin"])
    reader, _ = ring.make(READ_ONLY)
    with hosting() as host, serving("--index", folder) as (_, address):
        token, _ = ring.make(READ_ONLY, origin=host.address, expires=datetime.now(UTC) + timedelta(hours=1))
        host.policy = POLICY.format(address)
        headers = {"Authorization": f"Bearer {admin}"}
        with httpx.Client(base_url=address, headers=headers, timeout=60) as owner:
            yield World(address, owner, token, reader, host)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(ENOUGH)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that reports every error."""
    expect.set_options(timeout=ENOUGH)
    wrong: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    assert wrong == []


@pytest.fixture
def embedded(world: World, page: Page) -> Page:
    page.goto(world.page("/embedded", f"<pincite-answer {world.attributes}></pincite-answer>"))
    return page


def ask(page: Page, question: str) -> None:
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()


def axe(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


def marked(page: Page) -> str:
    """The highlighted text as in the DOM, with its white space."""
    mark = page.locator("pincite-source mark")
    expect(mark).to_be_visible()
    return str(mark.evaluate("mark => mark.textContent"))


def test_an_answer_is_asked_for_read_and_found_in_its_source_from_another_origin(embedded: Page) -> None:
    ask(embedded, FERRY)
    answer = embedded.locator("pincite-answer article")
    expect(answer.first).to_contain_text("The ferry leaves Aldhaven at 7:40 each morning.")
    expect(answer.first.locator("mark")).to_have_text(re.compile("7:40"))
    expect(answer.first).to_contain_text(re.compile(r"right .*\(\d+ %\)"))
    expect(embedded.get_by_role("status").first).to_contain_text("Answer: The ferry leaves")
    embedded.get_by_role("button", name="Source 1: ").first.click()
    assert marked(embedded) == "The ferry leaves Aldhaven at 7:40 each morning."
    assert axe(embedded) == []


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("To whom was the yellow bicycle sold?", "emoji 🙂.txt"),
        ("متى تغادر العبارة ميناء الدهفن؟", "arabic.txt"),
        ("渡船𠮷丸幾點離開港口？", "cjk.txt"),
    ],
)
def test_what_is_painted_equals_the_quote_in_every_script(
    world: World, embedded: Page, question: str, source: str
) -> None:
    asked = {"question": question, "sources": [source], "min_confidence": 0, "max_answers": 20}
    answers = world.owner.post("/v1/ask", json=asked).json()["answers"]
    assert answers
    for answer in answers:
        for citation in answer["citations"]:
            result = embedded.evaluate(
                """async ([citation, attributes]) => {
                    const viewer = document.createElement("pincite-source");
                    for (const [name, value] of Object.entries(attributes)) viewer.setAttribute(name, value);
                    document.body.append(viewer);
                    const status = await viewer.show(citation);
                    const mark = viewer.shadowRoot.querySelector("mark").textContent;
                    const text = viewer.shadowRoot.querySelector("[part=text]").textContent;
                    viewer.remove();
                    return [status, mark, text];
                }""",
                [citation, {"endpoint": world.address, "token": world.token}],
            )
            assert result == ["valid", citation["quote"]["exact"], DOCUMENTS[source]]


def test_everything_can_be_done_from_the_keyboard(embedded: Page) -> None:
    embedded.keyboard.press("Tab")
    embedded.keyboard.type(FERRY)
    embedded.keyboard.press("Enter")
    expect(embedded.locator("pincite-answer article").first).to_be_visible()
    embedded.keyboard.press("Tab")  # the button
    embedded.keyboard.press("Tab")  # the first mark
    embedded.keyboard.press("Enter")
    assert marked(embedded) == "The ferry leaves Aldhaven at 7:40 each morning."
    for _ in range(20):
        embedded.keyboard.press("Tab")
        if embedded.get_by_role("region", name="Text of the source").evaluate("it => it.matches(':focus')"):
            return
    pytest.fail("the text of the source is never reached")


def test_where_the_documents_do_not_say_the_nearest_passages_are_offered(embedded: Page) -> None:
    ask(embedded, NOWHERE)
    expect(embedded.get_by_role("heading", name="The documents don’t say")).to_be_visible()
    expect(embedded.get_by_role("status").first).to_have_text("The documents don’t say.")
    nearest = embedded.locator("[part=passages] li")
    text = nearest.first.locator("p").text_content()
    nearest.first.get_by_role("button").click()
    assert marked(embedded) == text
    assert axe(embedded) == []


def test_sources_that_contradict_each_other_are_shown_side_by_side(embedded: Page) -> None:
    ask(embedded, "When was the Old Mill Bridge opened to traffic?")
    expect(embedded.get_by_role("heading", name="The sources contradict each other")).to_be_visible()
    sides = embedded.locator(".sides article")
    expect(sides).to_have_count(2)
    assert {"1871", "1884"} == {re.findall(r"\b1\d{3}\b", side)[0] for side in sides.all_text_contents()}
    assert axe(embedded) == []


def test_an_error_is_told_and_the_question_asked_again_when_the_service_says(world: World, embedded: Page) -> None:
    def busy(route: Route) -> None:
        headers = {
            "Retry-After": "1",
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Expose-Headers": "Retry-After",
        }
        problem = {"type": "urn:pincite:problem:overloaded", "status": 503, "detail": "Everyone is asking just now."}
        route.fulfill(status=503, headers=headers, content_type="application/problem+json", body=json.dumps(problem))

    embedded.route("**/v1/ask", busy, times=1)
    ask(embedded, FERRY)
    expect(embedded.get_by_role("alert")).to_contain_text("Everyone is asking just now.")
    expect(embedded.locator("pincite-answer article").first).to_contain_text("7:40")


def test_a_question_asked_offline_is_asked_when_the_network_is_back(context: BrowserContext, embedded: Page) -> None:
    context.set_offline(True)
    ask(embedded, FERRY)
    expect(embedded.get_by_role("alert")).to_contain_text("You are offline")
    context.set_offline(False)
    expect(embedded.locator("pincite-answer article").first).to_contain_text("7:40")


def test_a_refusal_is_shown_in_the_words_of_the_service(world: World, page: Page) -> None:
    page.goto(world.page("/refused", f'<pincite-answer {world.attributes} collection="none"></pincite-answer>'))
    ask(page, FERRY)
    detail = world.owner.post("/v1/ask", json={"question": FERRY, "collection": "none"}).json()["detail"]
    expect(page.get_by_role("alert")).to_contain_text(detail)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    assert axe(page) == []


def test_a_source_that_has_changed_is_never_painted_where_the_words_do_not_stand(world: World, page: Page) -> None:
    text = "Pilots board every ship longer than 90 metres. The pilot station lies on Gull Island.\n"
    world.put("changing.txt", text)
    asked = {"question": "Where does the pilot station lie?", "sources": ["changing.txt"], "min_confidence": 0}
    citation = world.owner.post("/v1/ask", json=asked).json()["answers"][0]["citations"][0]
    page.goto(world.page("/changing", f"<pincite-source {world.attributes}></pincite-source>"))
    viewer = page.locator("pincite-source")
    show = "(viewer, citation) => viewer.show(citation)"
    assert viewer.evaluate(show, citation) == "valid"
    world.put("changing.txt", f"New 🙂 rules.\n\n{text}")
    assert viewer.evaluate(show, citation) == "moved"
    assert marked(page) == citation["quote"]["exact"]
    expect(page.get_by_role("status")).to_contain_text("The source has changed")
    world.put("changing.txt", text.replace("Gull Island", "Seal Island"))
    world.owner.delete("/v1/documents/pilots.txt")
    assert viewer.evaluate(show, citation) == "changed"
    expect(page.locator("pincite-source mark")).to_have_count(0)
    expect(page.get_by_role("status")).to_contain_text(citation["quote"]["exact"])
    assert axe(page) == []
    world.owner.delete("/v1/documents/changing.txt").raise_for_status()
    assert viewer.evaluate(show, citation) == "deleted"
    expect(page.get_by_role("status")).to_contain_text("no longer exists")
    expect(page.locator("pincite-source mark")).to_have_count(0)


def test_what_a_document_says_of_itself_is_shown_as_text(world: World, embedded: Page) -> None:
    text = f"The treasure {EVIL} is buried under <script>window.hacked=1</script> the oak.\n"
    source = "evil'\"&.txt"
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        world.put(source, text, title=EVIL, url="javascript:window.hacked=1")
    world.put(source, text, title=EVIL)
    embedded.locator("pincite-answer").evaluate("it => it.setAttribute('min-confidence', '0')")
    ask(embedded, "Where is the treasure buried?")
    expect(embedded.locator("[part=sources]").get_by_role("button", name=EVIL)).to_be_visible()
    embedded.get_by_role("button", name="Source 1: ").first.click()
    assert marked(embedded) == text.strip()
    assert embedded.locator("pincite-answer a, pincite-answer img, pincite-source img").count() == 0
    assert embedded.evaluate("window.hacked") is None
    world.owner.delete(f"/v1/documents/{quote(source)}").raise_for_status()


def test_it_works_in_an_iframe_and_several_at_once(world: World, page: Page) -> None:
    world.page("/inner", f'<pincite-answer {world.attributes} question="{FERRY}"></pincite-answer>' * 2)
    world.host.policy += "; frame-src 'self'"
    page.goto(
        world.host.put(
            "/outer", '<!doctype html><html lang="en"><title>x</title><iframe src="/inner" width=900 height=800>'
        )
    )
    inner = page.frame_locator("iframe").locator("pincite-answer")
    for number in range(2):
        expect(inner.nth(number).locator("article").first).to_contain_text("7:40")


def test_code_can_ask_listen_cite_and_keep_answers_for_one_version(world: World, embedded: Page) -> None:
    asked = []
    embedded.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    result = embedded.evaluate(
        """async (question) => {
            const answer = document.querySelector("pincite-answer");
            const heard = [];
            for (const name of ["pincite-answer", "pincite-error", "pincite-cite"])
              document.addEventListener(name, (event) => { heard.push(name); window.cited = event.detail.citation; });
            document.addEventListener("pincite-cite", (event) => event.preventDefault());
            await answer.ask(question);
            const response = await answer.ask(question);
            answer.shadowRoot.querySelector(".cite").click();
            const opened = answer.shadowRoot.querySelector("pincite-source");
            return [heard, response.status, window.cited.toSelector(), opened];
        }""",
        FERRY,
    )
    citation = world.owner.post("/v1/ask", json={"question": FERRY}).json()["answers"][0]["citations"][0]
    assert result[0] == ["pincite-answer", "pincite-answer", "pincite-cite"]
    assert result[1] == "answered"
    start, end = citation["range"]["codepoint"]
    assert result[2]["selector"] == [
        {"type": "TextPositionSelector", "start": start, "end": end},
        {"type": "TextQuoteSelector", **citation["quote"]},
    ]
    assert result[3] is None
    assert [url.rpartition("/")[2] for url in asked] == ["ask", "verify"]
    world.put("new.txt", "A new document.\n")
    embedded.locator("pincite-answer").evaluate("(it, question) => it.ask(question)", FERRY)
    assert [url.rpartition("/")[2] for url in asked] == ["ask", "verify", "verify", "ask"]
    world.owner.delete("/v1/documents/new.txt").raise_for_status()


def test_a_quote_is_highlighted_in_the_hosts_own_text_which_stays_as_it_is(world: World, page: Page) -> None:
    text = "<p>The <b>ferry</b> leaves\n Aldhaven at 7:40 <i>each</i> morning. It returns at noon.</p>"
    own = f'<article id="own">{text}</article>'
    viewer = '<pincite-source id="here" within="#own"></pincite-source>'
    page.goto(world.page("/own", f'{own}<pincite-answer {world.attributes} for="here"></pincite-answer>{viewer}'))
    before = page.locator("#own").evaluate("it => it.innerHTML")
    ask(page, FERRY)
    page.get_by_role("button", name="Source 1: ").first.click()
    expect(page.locator("pincite-source")).to_contain_text("highlighted in this page")
    there = page.evaluate("[...CSS.highlights.get('pincite-quote')].map(String)")
    assert [" ".join(each.split()) for each in there] == ["The ferry leaves Aldhaven at 7:40 each morning."]
    assert page.locator("#own").evaluate("it => it.innerHTML") == before


@pytest.mark.parametrize("text", ["word " * 300_000, "渡船𠮷丸。" * 100_000, "🙂" * 40_000, "a line\r\n" * 50_000])
def test_pieces_join_to_the_text_and_the_quote_is_whole(world: World, page: Page, text: str) -> None:
    page.goto(f"{world.address}/examples")
    middle = len(text.encode("utf-16-le")) // 4 // 2 * 2
    outcome = page.evaluate(
        """async ([text, start, end]) => {
            const { pieces } = await import("/embed/painting.js");
            const made = pieces(text, [start, end]);
            const marks = made.flatMap((piece) => [...piece.querySelectorAll("mark")]);
            const right = made.map((piece) => piece.textContent).join("") === text;
            const whole = marks.map((mark) => mark.textContent === text.slice(start, end));
            return [right, whole, Math.max(...made.map((piece) => piece.textContent.length))];
        }""",
        [text, middle, middle + 6_000],
    )
    assert outcome[:2] == [True, [True]]
    assert outcome[2] <= 30_000


def test_the_page_answers_a_link_and_opens_the_source_beside(world: World, page: Page) -> None:
    page.goto(f"{world.address}/?q={quote(FERRY)}")
    expect(page.get_by_role("heading", name="A key is required")).to_be_visible()
    assert axe(page) == []
    page.get_by_label("Key").fill(world.owner.headers["Authorization"].split()[1])
    page.keyboard.press("Enter")
    expect(page.locator("pincite-answer article").first).to_contain_text("7:40")
    page.get_by_role("button", name="Source 1: ").first.click()
    assert marked(page) == "The ferry leaves Aldhaven at 7:40 each morning."
    answer, source = page.locator("pincite-answer").bounding_box(), page.locator("pincite-source").bounding_box()
    assert answer
    assert source
    assert answer["x"] + answer["width"] <= source["x"]
    expect(page.locator("#state")).to_contain_text(re.compile(r"\d documents, \d+ passages"))
    page.locator("#files").set_input_files(
        {"name": "Dropped.txt", "mimeType": "text/plain", "buffer": b"Cod is cheap.\n"}
    )
    expect(page.locator("#uploads")).to_contain_text("ready for questions")
    expect(page.locator("#documents")).to_contain_text("Dropped.txt")
    world.owner.delete("/v1/documents/Dropped.txt").raise_for_status()
    assert axe(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    answer, source = page.locator("pincite-answer").bounding_box(), page.locator("pincite-source").bounding_box()
    assert answer
    assert source
    assert answer["y"] + answer["height"] <= source["y"]


def test_a_key_that_only_reads_is_offered_no_upload(world: World, page: Page) -> None:
    page.add_init_script(f"sessionStorage.setItem('pincite-key', {json.dumps(world.reader)})")
    page.goto(world.address)
    expect(page.locator("#documents")).to_contain_text("ferry.txt")
    expect(page.locator("#upload")).to_be_hidden()


@pytest.mark.parametrize("name", ["plain", "dark", "site"])
def test_the_examples_work_as_pages_of_another_origin(world: World, page: Page, name: str) -> None:
    html = (STATIC / "examples" / f"{name}.html").read_text(encoding="utf-8")
    html = re.sub(r' sources="[^"]*"', "", html).replace("<pincite-answer", f"<pincite-answer {world.attributes}")
    html = html.replace('src="/embed.js', f'src="{world.address}/embed.js')
    world.host.policy = f"{POLICY.format(world.address)}; style-src 'self'; img-src 'self'"
    for own in (f"/examples/{name}.css", "/page/icon.svg"):
        world.host.put(own, (STATIC / PATHS[own]).read_text(encoding="utf-8"))
    page.goto(world.host.put(f"/{name}", html))
    ask(page, FERRY)
    expect(page.locator("pincite-answer article").first).to_contain_text("7:40")
    assert axe(page) == []


def test_the_page_of_the_documentation_works_when_pasted(world: World, page: Page) -> None:
    guide = (ROOT / "docs" / "front-end.md").read_text(encoding="utf-8")
    (html,) = re.findall(r"```html\n(.*?)```", guide, re.DOTALL)
    html = html.replace("http://127.0.0.1:8000", world.address).replace(
        " placeholder", f' token="{world.token}" placeholder'
    )
    world.host.policy = ""
    page.goto(world.host.put("/pasted", html))
    ask(page, FERRY)
    expect(page.locator("pincite-answer article").first).to_contain_text("7:40")


def test_what_is_embedded_may_be_loaded_from_anywhere_and_nothing_else_may(world: World) -> None:
    assert httpx.get(f"{world.address}/examples/").status_code == 200
    for path in (
        "//",
        "/embed",
        "/embed/",
        "/embed.js/",
        "/embed//answer.js",
        "/page/%2e%2e/embed.js",
        "/static/embed/answer.js",
    ):
        assert httpx.get(world.address + path).status_code == 404, path
    for path in PATHS:
        response = httpx.get(world.address + path, headers={"Origin": "https://elsewhere.example"})
        assert response.status_code == 200, path
        anywhere = path in EMBEDDED
        assert response.headers["cross-origin-resource-policy"] == ("cross-origin" if anywhere else "same-origin")
        assert ("access-control-allow-origin" in response.headers) == anywhere
        again = httpx.get(world.address + path, headers={"If-None-Match": response.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        plain = httpx.get(world.address + path, headers={"Accept-Encoding": "identity"})
        assert plain.content == response.content == (STATIC / PATHS[path]).read_bytes()
        policy = response.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert ("script-src 'self'" in policy) == (path in PAGES or path == "/examples")


def test_every_file_is_served_and_the_whole_page_is_small() -> None:
    served = {STATIC / file for file in PATHS.values()}
    assert served == {file for file in STATIC.rglob("*") if file.is_file() and "docs" not in file.parts}
    sent = {PATHS[path] for path in ("/", *EMBEDDED, *OWN) if not path.startswith("/examples")}
    assert sum((STATIC / file).stat().st_size for file in sent) < 65_000
