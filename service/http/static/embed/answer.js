// <pincite-answer>: a question box, and an answer quoted from the documents, with its sources.

import { Citation } from "./citations.js";
import { Client, Problem } from "./client.js";
import { element, percent } from "./elements.js";
import { answerSheets } from "./styles.js";

const NEAREST = 3; // passages shown if there is no answer
const AGAIN = 2; // automatic retries when the service sends Retry-After
const WORDS = [[0.9, "Very likely right"], [0.75, "Likely right"], [0.5, "More likely right than wrong"], [0, "Uncertain"]];

let made = 0;

/**
 * Attributes: `endpoint`, `token`, `collection`, `question` (asked on load), `max-answers` (3), `min-confidence`,
 * `sources` (patterns, space-separated), `placeholder`, `for` (the id of a <pincite-source>; by default, one opens below).
 * Method: `ask(question)`, which resolves to the response. Property: `response`. Events, all of which bubble:
 * `pincite-answer` {question, response}, `pincite-error` {question, problem}, `pincite-cite` {citation, answer, number};
 * preventDefault() on the last one keeps the source closed. Parts: form, input, button, result, answer, quote, span,
 * confidence, cite, sources, source, passages, problem, viewer. CSS: --pincite-accent, -on-accent, -text, -muted,
 * -surface, -line, -quote, -span, -warn, -radius, -font, -font-size, -color-scheme.
 */
export class PinciteAnswer extends HTMLElement {
  static observedAttributes = ["question", "placeholder"];
  #running = null;
  #waking = null;
  #numbers = new Map(); // citation.key -> its number
  #client = null;
  #input;
  #status = element("div", { class: "unseen", role: "status" });
  #result = element("div", { part: "result", class: "result" });
  #viewer = null;
  response = null;

  constructor() {
    super();
    const id = `question-${++made}`;
    this.#input = element("input", { id, part: "input", type: "text", maxlength: "2000", dir: "auto", autocomplete: "off", enterkeyhint: "search", placeholder: "Ask the documents" });
    const form = element(
      "form",
      { part: "form", role: "search", onsubmit: (event) => this.#submitted(event) },
      element("label", { class: "unseen", for: id }, "Your question"),
      this.#input,
      element("button", { part: "button", class: "ask", type: "submit" }, "Ask"),
    );
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = answerSheets;
    root.append(form, this.#status, this.#result);
  }

  connectedCallback() {
    addEventListener("online", this.#online);
  }

  disconnectedCallback() {
    removeEventListener("online", this.#online);
    this.#stop();
  }

  attributeChangedCallback(name, before, now) {
    if (name === "placeholder") this.#input.placeholder = now ?? "Ask the documents";
    // After the other attributes, which the parser sets one at a time.
    if (name === "question" && now && now !== before) queueMicrotask(() => this.ask(now));
  }

  get client() {
    const [endpoint, token, collection] = ["endpoint", "token", "collection"].map((name) => this.getAttribute(name));
    return new Client({ endpoint, token, collection });
  }

  get question() {
    return this.#input.value;
  }

  /** Ask and show the result. Resolves to the response, or null on an error; never rejects with a Problem. */
  async ask(question, { again = 0 } = {}) {
    this.#stop();
    const running = (this.#running = new AbortController());
    this.#input.value = question;
    this.#waiting();
    this.#client = this.client;
    try {
      const response = await this.#client.ask(question, this.#parameters(), running.signal);
      if (running.signal.aborted) return null;
      this.response = response;
      this.#show(response);
      this.#tell("pincite-answer", { question, response });
      return response;
    } catch (error) {
      if (running.signal.aborted) return null;
      if (!(error instanceof Problem)) throw error;
      this.response = null;
      this.#failed(error, question, again);
      this.#tell("pincite-error", { question, problem: error });
      return null;
    } finally {
      if (this.#running === running) this.#result.removeAttribute("aria-busy");
    }
  }

  #parameters() {
    const sources = this.getAttribute("sources")?.split(/\s+/).filter(Boolean);
    const least = this.getAttribute("min-confidence");
    return {
      max_answers: Number(this.getAttribute("max-answers") ?? 3),
      passages: NEAREST,
      ...(sources?.length && { sources }),
      ...(least !== null && { min_confidence: Number(least) }),
    };
  }

  #submitted(event) {
    event.preventDefault();
    const question = this.#input.value.trim();
    if (question) this.ask(question);
    else this.#input.focus();
  }

  #stop() {
    this.#running?.abort();
    clearInterval(this.#waking);
  }

  #online = () => {
    const failed = this.shadowRoot.querySelector("[data-offline]");
    if (failed && this.question) this.ask(this.question);
  };

  #waiting() {
    this.#result.setAttribute("aria-busy", "true");
    this.#status.textContent = "Looking for an answer";
    this.#result.replaceChildren(element("div", { class: "waiting", "aria-hidden": "true" }, element("i"), element("i"), element("i")));
    this.#viewer = null;
  }

  #show(response) {
    this.#numbers.clear();
    const shown = { answered: () => this.#answered(response), conflicting: () => this.#conflicting(response), abstained: () => this.#abstained(response) };
    const parts = shown[response.status]();
    this.#result.replaceChildren(...parts);
  }

  #answered({ answers: [first, ...others] }) {
    this.#status.textContent = `Answer: ${first.text} ${inWords(first.confidence)}.`;
    return [this.#answer(first), this.#more(others), this.#sources([first, ...others])].filter(Boolean);
  }

  #conflicting({ answers: [first, second, ...others] }) {
    this.#status.textContent = `The sources contradict each other. One says: ${first.text} Another says: ${second.text}`;
    const heading = element("h2", { class: "heading" }, "The sources contradict each other");
    const sides = element("div", { class: "sides" }, this.#answer(first, "One says"), this.#answer(second, "Another says"));
    return [heading, sides, this.#more(others), this.#sources([first, second, ...others])].filter(Boolean);
  }

  #abstained({ passages }) {
    this.#status.textContent = "The documents don’t say.";
    const heading = element("div", {}, element("h2", {}, "The documents don’t say"), element("p", { class: "quiet" }, passages.length ? "No sentence answers this with enough confidence. These passages are closest:" : "No passage is close to this question."));
    const near = passages.map((passage) => {
      const citation = Citation.ofPassage(passage, this.#client);
      const open = element("button", { class: "open", type: "button", onclick: (event) => this.#cite(citation, null, null, event) }, "Show in source");
      return element("li", {}, element("p", { class: "text", dir: "auto" }, passage.text), element("span", { class: "quiet" }, citation.place), open);
    });
    return [heading, ...(near.length ? [element("ol", { part: "passages", class: "near" }, ...near)] : [])];
  }

  #more(others) {
    if (!others.length) return null;
    const summary = element("summary", {}, others.length === 1 ? "One more sentence" : `${others.length} more sentences`);
    return element("details", {}, summary, element("div", { class: "more" }, ...others.map((each) => this.#answer(each))));
  }

  #answer(answer, label = null) {
    const quote = element("blockquote", { dir: "auto" });
    answer.citations.forEach((given, at) => {
      const citation = new Citation(given, this.#client);
      const cite = this.#mark(citation, answer, at);
      if (at) quote.append(" ");
      quote.append(...quoted(citation, answer.highlight?.citation === at ? answer.highlight : null), cite);
      for (const other of given.also) quote.append(this.#mark(new Citation(other, this.#client), answer, null));
    });
    const name = label && element("p", { class: "quiet" }, label);
    return element("article", { part: "answer", class: "answer" }, name, quote, confidence(answer.confidence));
  }

  /** A numbered mark. The same position always has the same number. */
  #mark(citation, answer, at) {
    const number = this.#numbers.get(citation.key)?.number ?? this.#numbers.size + 1;
    const highlight = answer.highlight && answer.highlight.citation === at ? answer.highlight : null;
    if (!this.#numbers.has(citation.key)) this.#numbers.set(citation.key, { number, citation, answer, highlight });
    const open = (event) => this.#cite(citation, answer, number, event, highlight);
    const label = `Source ${number}: ${citation.title || citation.source}`;
    return element("button", { part: "cite", class: "cite", type: "button", "aria-label": label, "aria-pressed": "false", onclick: open }, String(number));
  }

  #sources() {
    const lines = [...this.#numbers.values()].map(({ number, citation, answer, highlight }) => {
      const open = element("button", { class: "open", type: "button", dir: "auto", onclick: (event) => this.#cite(citation, answer, number, event, highlight) }, citation.title || citation.source);
      const link = citation.link && element("a", { href: citation.link, target: "_blank", rel: "noopener noreferrer" }, "on the web");
      const place = element("div", { class: "quiet" }, citation.place, link ? " · " : "", link ?? "");
      return element("li", { part: "source" }, element("span", { class: "number" }, `${number}.`), element("div", {}, open, place));
    });
    return element("ol", { part: "sources", class: "sources", "aria-label": "Sources" }, ...lines);
  }

  async #cite(citation, answer, number, event, highlight = null) {
    const pressed = event.currentTarget;
    if (!this.#tell("pincite-cite", { citation, answer, number }, true)) return;
    for (const each of this.#result.querySelectorAll(".cite")) each.setAttribute("aria-pressed", String(each.textContent === String(number)));
    const beside = this.getRootNode().getElementById?.(this.getAttribute("for") ?? "");
    const viewer = beside ?? this.#below(pressed);
    await viewer.show(citation, highlight, this.#client);
    if (pressed.isConnected && viewer.getBoundingClientRect().top > innerHeight - 120) viewer.scrollIntoView({ block: "nearest" });
  }

  #below(pressed) {
    this.#viewer ??= element("pincite-source", { part: "viewer", exportparts: "frame, header, told, text" });
    const passage = pressed.closest(".near li");
    if (passage) passage.after(element("li", {}, this.#viewer));
    else this.#result.append(this.#viewer);
    for (const line of this.#result.querySelectorAll(".near li:empty")) line.remove();
    return this.#viewer;
  }

  #failed(problem, question, again) {
    const what = element("p", { class: "what" }, problem.offline ? "You are offline" : "No answer at the moment");
    const button = element("button", { class: "plain", type: "button", onclick: () => this.ask(question) }, "Try again");
    const detail = element("p", {}, problem.offline ? "The question will be asked when you are online again." : problem.detail);
    this.#result.replaceChildren(element("div", { part: "problem", class: "problem", role: "alert", "data-offline": problem.offline }, what, detail, button));
    this.#status.textContent = "";
    if (problem.retryAfter !== null && [429, 503].includes(problem.status)) this.#countdown(button, problem.retryAfter, question, again);
  }

  #countdown(button, seconds, question, again) {
    const ready = Date.now() + seconds * 1000;
    const tick = () => {
      const left = Math.ceil((ready - Date.now()) / 1000);
      button.disabled = left > 0;
      button.textContent = left > 0 ? `Try again in ${left} s` : "Try again";
      if (left > 0) return;
      clearInterval(this.#waking);
      if (again < AGAIN) this.ask(question, { again: again + 1 });
    };
    this.#waking = setInterval(tick, 250);
    tick();
  }

  #tell(name, detail, cancelable = false) {
    return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable }));
  }
}

/** The quote of a citation, with the span marked if it occurs there exactly. */
function quoted({ quote, range }, highlight) {
  const start = highlight ? highlight.utf16[0] - range.utf16[0] : 0;
  const end = highlight ? highlight.utf16[1] - range.utf16[0] : 0;
  if (!highlight || quote.exact.slice(start, end) !== highlight.text) return [quote.exact];
  const span = element("mark", { part: "span", class: "quote span" }, highlight.text);
  return [quote.exact.slice(0, start), span, quote.exact.slice(end)];
}

function inWords(share) {
  return WORDS.find(([least]) => share >= least)[1];
}

function confidence(share) {
  const fill = element("div", { class: "fill" });
  fill.style.setProperty("--share", String(share));
  const words = element("span", { class: "quiet" }, `${inWords(share)} (${percent(share)} %)`);
  return element("div", { part: "confidence", class: "confidence" }, element("div", { class: "bar", "aria-hidden": "true" }, fill), words);
}
