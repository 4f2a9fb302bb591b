// A document's text as elements, in pieces that the browser lays out only when visible.

import { element } from "./elements.js";

const PIECE = 4000; // UTF-16 units, approximately
const LONGEST = 16_000; // longer lines are broken at a space
const LINE = 70; // characters, to estimate the height before layout

/** The pieces of `text`. `quote` and `span` are half-open UTF-16 ranges or null; the quote is one <mark> in one piece. */
export function pieces(text, quote = null, span = null) {
  let start = 0;
  return ends(text, quote).map((end) => {
    const piece = element("div", { class: "piece" }, ...parts(text, start, end, quote, span));
    const lines = Math.ceil((end - start) / LINE) + (text.slice(start, end).match(/\n/g)?.length ?? 0) / 2;
    piece.style.setProperty("--lines", String(Math.ceil(lines)));
    start = end;
    return piece;
  });
}

function parts(text, start, end, quote, span) {
  if (!quote || quote[0] < start || quote[1] > end) return [text.slice(start, end)];
  return [text.slice(start, quote[0]), marked(text, quote, span), text.slice(quote[1], end)];
}

/** The quote with the span marked; its text content is exactly the quote. */
export function marked(text, [start, end], span) {
  const mark = element("mark", { part: "quote", class: "quote" });
  if (span && span[0] >= start && span[1] <= end) {
    const inner = element("strong", { part: "span", class: "span" }, text.slice(...span));
    mark.append(text.slice(start, span[0]), inner, text.slice(span[1], end));
  } else {
    mark.append(text.slice(start, end));
  }
  return mark;
}

/** The ends of the pieces: at line ends if possible, never inside the quote or a character. */
export function ends(text, quote = null) {
  const found = [];
  let start = 0;
  while (text.length - start > PIECE) {
    let end = lineEnd(text, start, start + PIECE);
    if (quote && end > quote[0] && end < quote[1]) end = lineEnd(text, start, quote[1]);
    found.push(end);
    start = end;
  }
  if (start < text.length || !found.length) found.push(text.length);
  return found;
}

function lineEnd(text, start, from) {
  const end = text.indexOf("\n", from - 1) + 1;
  if (end && end - from <= LONGEST) return end;
  const near = text.slice(from, from + LONGEST);
  if (near.length < LONGEST) return text.length;
  const space = near.search(/\s/u);
  if (space >= 0) return from + space + 1;
  const low = text.charCodeAt(from);
  return low >= 0xdc00 && low <= 0xdfff ? from + 1 : from;
}
