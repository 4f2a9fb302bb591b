// Locates a quote in a text other than the document's own: a page that shows it in its own markup.

const INLINE = new Set("A ABBR B BDI BDO BIG CITE CODE DATA DEL DFN EM FONT I INS KBD LABEL MARK Q RUBY S SAMP SMALL SPAN STRONG SUB SUP TIME TT U VAR WBR".split(" "));
const UNREAD = new Set("SCRIPT STYLE NOSCRIPT TEMPLATE TEXTAREA SELECT PINCITE-ANSWER PINCITE-SOURCE".split(" "));

/**
 * The half-open UTF-16 range of a quote in `text`, or null if it does not occur or its context matches several
 * places equally well. White space is compared as one space.
 */
export function findQuote(text, { exact, prefix = "", suffix = "" }) {
  const there = squeezed(text);
  const wanted = squeezed(exact).text.trim();
  const [before, after] = [squeezed(prefix + "x").text.slice(0, -1), squeezed("x" + suffix).text.slice(1)];
  if (!wanted) return null;
  let best = [];
  let most = -1;
  for (let at = there.text.indexOf(wanted); at >= 0; at = there.text.indexOf(wanted, at + 1)) {
    const agreeing = agreeingEnd(there.text.slice(0, at), before) + agreeingStart(there.text.slice(at + wanted.length), after);
    if (agreeing > most) [best, most] = [[at], agreeing];
    else if (agreeing === most) best.push(at);
  }
  if (best.length !== 1) return null;
  return [there.places[best[0]], there.places[best[0] + wanted.length - 1] + 1];
}

/** A text with each run of white space as one space, and the original position of each of its units. */
function squeezed(text) {
  const places = [];
  let made = "";
  for (const { 0: run, index } of text.matchAll(/\s+|\S+/gu)) {
    if (/^\s/u.test(run)) {
      made += " ";
      places.push(index);
    } else {
      made += run;
      for (let unit = 0; unit < run.length; unit++) places.push(index + unit);
    }
  }
  return { text: made, places };
}

function agreeingStart(text, wanted) {
  let count = 0;
  while (count < wanted.length && text[count] === wanted[count]) count++;
  return count;
}

function agreeingEnd(text, wanted) {
  let count = 0;
  while (count < wanted.length && text.at(-1 - count) === wanted.at(-1 - count) && count < text.length) count++;
  return count;
}

/** The quote as a Range in the text of `root`, or null. */
export function rangeIn(root, quote) {
  const nodes = [];
  let text = "";
  for (const part of shown(root)) {
    if (part !== null) nodes.push([text.length, part]);
    text += part === null ? "\n" : part.data;
  }
  const found = findQuote(text, quote);
  if (!found) return null;
  const range = document.createRange();
  range.setStart(...boundary(nodes, found[0]));
  const [node, offset] = boundary(nodes, found[1] - 1);
  range.setEnd(node, offset + 1);
  return range;
}

/** Text nodes in order, with null at block boundaries. */
function* shown(root) {
  for (const node of root.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) yield node;
    if (node.nodeType !== Node.ELEMENT_NODE || UNREAD.has(node.tagName)) continue;
    const inline = INLINE.has(node.tagName);
    if (!inline) yield null;
    yield* shown(node);
    if (!inline) yield null;
  }
}

function boundary(nodes, place) {
  const [start, node] = nodes.findLast(([start]) => start <= place);
  return [node, place - start];
}
