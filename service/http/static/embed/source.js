// <pincite-source>: the cited document with the sentence highlighted. It never highlights other words.

import { rangeIn } from "./anchoring.js";
import { Citation } from "./citations.js";
import { Client, Problem } from "./client.js";
import { element } from "./elements.js";
import { pieces } from "./painting.js";
import { HIGHLIGHT, pageSheet, sourceSheets } from "./styles.js";

const TRIES = 3; // the document may be replaced between two requests

/**
 * Attributes: `endpoint`, `token`, `collection` as of <pincite-answer>; `citation`: one as JSON; `within`: a selector
 * of the element of this page whose text is the document. Methods: `show(citation, highlight)`, `open(source)`, `clear()`. Event: `pincite-shown`
 * with `{status, citation}`; status is valid, moved, changed, deleted, elsewhere or error. Parts: frame, header, told,
 * text, quote, span. CSS: --pincite-source-height and those of <pincite-answer>.
 */
export class PinciteSource extends HTMLElement {
  static observedAttributes = ["citation"];
  #running = null;
  #header = element("header", { part: "header" });
  #told = element("div", { part: "told", class: "told", role: "status" });
  #text = element("div", { part: "text", class: "text", role: "region", tabindex: "0", "aria-label": "Text of the source", dir: "auto" });
  #frame = element("div", { part: "frame", class: "frame", hidden: true }, this.#header, this.#told, this.#text);

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = sourceSheets;
    root.append(this.#frame);
  }

  attributeChangedCallback(_, before, now) {
    if (now && now !== before) this.show(JSON.parse(now));
  }

  get client() {
    const [endpoint, token, collection] = ["endpoint", "token", "collection"].map((name) => this.getAttribute(name));
    return new Client({ endpoint, token, collection });
  }

  /** Show a citation, with the span `highlight` if given. Resolves to the status of the citation. */
  async show(given, highlight = null, client = this.client) {
    const running = this.#begin();
    const citation = new Citation(given, client);
    this.#headed(citation);
    const own = this.#withinPage();
    if (own) return this.#shown(this.#paintPage(own, citation), citation);
    this.#frame.setAttribute("aria-busy", "true");
    try {
      const [status, present, text] = await this.#present(citation, client, running.signal);
      if (running.signal.aborted) return "aborted";
      const span = status === "valid" && highlight?.text ? highlight.utf16 : null;
      this.#paint(status, citation, present, text, span);
      return this.#shown(status, present ?? citation);
    } catch (error) {
      if (!(error instanceof Problem)) {
        if (running.signal.aborted) return "aborted";
        throw error;
      }
      this.#failed(error, () => this.show(given, highlight, client));
      return this.#shown("error", citation);
    } finally {
      if (!running.signal.aborted) this.#frame.removeAttribute("aria-busy");
    }
  }

  /** Show a document without a citation. Resolves to its text, or null on an error. */
  async open(source, client = this.client) {
    const running = this.#begin();
    this.#frame.hidden = false;
    this.#header.replaceChildren(element("strong", { dir: "auto" }, source));
    try {
      const { text } = await client.text(source, running.signal);
      if (running.signal.aborted) return null;
      this.#text.hidden = false;
      this.#text.replaceChildren(...pieces(text));
      this.#scroll();
      return text;
    } catch (error) {
      if (running.signal.aborted) return null;
      if (!(error instanceof Problem)) throw error;
      this.#failed(error, () => this.open(source, client));
      return null;
    }
  }

  clear() {
    this.#begin();
    this.#frame.hidden = true;
  }

  #begin() {
    this.#running?.abort();
    this.#running = new AbortController();
    this.#unpaintPage();
    this.#say();
    this.#text.replaceChildren();
    return this.#running;
  }

  /** [status, current citation or null, text of its document or null]. */
  async #present(citation, client, signal) {
    let [status, there] = ["valid", citation];
    for (let tried = 0; tried < TRIES; tried++) {
      const view = await textOf(there.source, client, signal);
      if (view && view.sha256 === there.sha256 && view.text.slice(...there.range.utf16) === there.quote.exact) {
        return [status, there, view.text];
      }
      const told = await client.verify(citation, signal);
      if (!told.citation) return [told.status, null, told.status === "changed" ? view?.text ?? null : null];
      [status, there] = [told.status, new Citation(told.citation, client)];
    }
    throw new Problem("The document is changing at the moment.");
  }

  #headed(citation) {
    const link = citation.link;
    this.#frame.hidden = false;
    this.#header.replaceChildren(
      element("div", {}, element("strong", { dir: "auto" }, citation.title || citation.source), element("div", { class: "quiet" }, citation.place)),
      link ? element("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, "Open the web page") : "",
    );
  }

  #paint(status, citation, present, text, span) {
    if (status === "moved") {
      const where = present.source === citation.source ? "in the current version" : `in ${present.source}`;
      this.#headed(present);
      this.#say(`The source has changed. The same sentence is now ${where}, and is shown there.`);
    }
    if (status === "changed") this.#say("The source has changed and no longer contains the sentence, which was:", citation, true);
    if (status === "deleted") this.#say("The source no longer exists. The sentence was:", citation, true);
    this.#text.hidden = text === null;
    if (text === null) return;
    this.#text.replaceChildren(...pieces(text, present?.range.utf16, span));
    this.#scroll();
  }

  #scroll() {
    const mark = this.#text.querySelector("mark");
    this.#text.scrollTop = 0;
    if (!mark) return;
    const centre = () => {
      const [there, frame] = [mark.getBoundingClientRect(), this.#text.getBoundingClientRect()];
      this.#text.scrollTop += there.top - frame.top - Math.max(16, (frame.height - there.height) / 3);
    };
    centre();
    requestAnimationFrame(centre); // by now, visible elements have their real height
    requestAnimationFrame(() => requestAnimationFrame(centre));
  }

  #withinPage() {
    const selector = this.getAttribute("within");
    return selector && this.ownerDocument.querySelector(selector);
  }

  /** Highlight the quote in the page's own text without changing it; otherwise offer the link. */
  #paintPage(root, citation) {
    const range = rangeIn(root, citation.quote);
    this.#text.hidden = true;
    if (!range) {
      this.#say("This page does not contain the sentence verbatim. It is:", citation, true);
      return "elsewhere";
    }
    if (!document.adoptedStyleSheets.includes(pageSheet)) document.adoptedStyleSheets.push(pageSheet);
    CSS.highlights?.set(HIGHLIGHT, new Highlight(range));
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    range.startContainer.parentElement.scrollIntoView({ block: "center", behavior: calm ? "auto" : "smooth" });
    this.#say("The sentence is highlighted in this page.");
    return "valid";
  }

  #unpaintPage() {
    globalThis.CSS?.highlights?.delete(HIGHLIGHT);
  }

  #say(message = null, citation = null, warn = false) {
    this.#told.classList.toggle("warn", warn);
    const quote = citation && element("q", { dir: "auto" }, citation.quote.exact);
    this.#told.replaceChildren(...[message && element("span", {}, message), quote].filter(Boolean));
  }

  #failed(error, retry) {
    this.#text.hidden = true;
    this.#told.classList.add("warn");
    const again = element("button", { class: "plain", type: "button", onclick: retry }, "Try again");
    this.#told.replaceChildren(element("span", {}, error.detail), element("div", { class: "actions" }, again));
  }

  #shown(status, citation) {
    const detail = { status, citation };
    this.dispatchEvent(new CustomEvent("pincite-shown", { detail, bubbles: true, composed: true }));
    return status;
  }
}

/** The current document, or null if none has this name. */
async function textOf(source, client, signal) {
  try {
    return await client.text(source, signal);
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}
