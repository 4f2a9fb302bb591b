// A citation of the service, with helpers for pages.

import { webAddress } from "./elements.js";

export class Citation {
  #client;

  constructor(given, client) {
    Object.assign(this, given);
    this.#client = client;
  }

  /** A passage as a citation; its text is a slice of the document too. */
  static ofPassage(passage, client) {
    const { source, document_id, sha256, sentences, range, text } = passage;
    const quote = { exact: text, prefix: "", suffix: "" };
    const described = { title: titleOf(source), url: null, date: null, text_fragment: "", also: [] };
    return new Citation({ ...described, source, document_id, sha256, sentences, range, quote }, client);
  }

  /**
   * A SpecificResource of the W3C Web Annotation Data Model, with two equivalent selectors. A
   * TextPositionSelector counts code points there, as Python does; for JavaScript's strings take `range.utf16`.
   */
  toSelector() {
    const [start, end] = this.range.codepoint;
    const { exact, prefix, suffix } = this.quote;
    return {
      type: "SpecificResource",
      source: this.#client.file(this.source),
      selector: [
        { type: "TextPositionSelector", start, end },
        { type: "TextQuoteSelector", exact, prefix, suffix },
      ],
    };
  }

  /** The document's URL with a text fragment, which makes browsers scroll to the quote; null without a URL. */
  get link() {
    const address = webAddress(this.url);
    return address && address.replace(/#.*$/, "") + (this.text_fragment ?? "");
  }

  /** Its position for people: "harbour/ferry.txt · sentence 2 of 17" */
  get place() {
    const { first, last, total } = this.sentences;
    const which = first === last ? `sentence ${first + 1}` : `sentences ${first + 1}–${last + 1}`;
    return [this.source, `${which} of ${total}`, this.date].filter(Boolean).join(" · ");
  }

  get key() {
    return JSON.stringify([this.source, this.sha256, this.range.codepoint]);
  }
}

function titleOf(source) {
  return source.split("/").pop();
}
