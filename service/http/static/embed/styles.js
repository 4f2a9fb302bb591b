// The styles of both components, as constructed style sheets, which a strict Content-Security-Policy allows.

const SHARED = `
:host {
  --_accent: var(--pincite-accent, light-dark(#0b5c56, #6fd0c4));
  --_on-accent: var(--pincite-on-accent, light-dark(#ffffff, #06211f));
  --_text: var(--pincite-text, light-dark(#1b1d1c, #e9ebe9));
  --_muted: var(--pincite-muted, light-dark(#59605d, #a6aeab));
  --_surface: var(--pincite-surface, light-dark(#ffffff, #191c1b));
  --_line: var(--pincite-line, light-dark(#d5dad7, #3a403d));
  --_quote: var(--pincite-quote, light-dark(#fff3c2, #4a3f12));
  --_span: var(--pincite-span, light-dark(#ffd95e, #8a6d00));
  --_warn: var(--pincite-warn, light-dark(#8a3b12, #f0a987));
  --_radius: var(--pincite-radius, 10px);
  display: block;
  color-scheme: var(--pincite-color-scheme, inherit);
  color: var(--_text);
  font-family: var(--pincite-font, inherit);
  font-size: var(--pincite-font-size, inherit);
  line-height: 1.5;
  text-align: start;
}
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; }
h2, p, ol, blockquote { margin: 0; padding: 0; }
h2 { font-size: 1.05em; font-weight: 650; }
button, input { font: inherit; color: inherit; }
button { cursor: pointer; }
:focus-visible { outline: 3px solid var(--_accent); outline-offset: 2px; }
a { color: var(--_accent); }
mark.quote { background: var(--_quote); color: inherit; border-radius: 3px; box-decoration-break: clone; -webkit-box-decoration-break: clone; }
.span, mark.span { background: var(--_span); font-weight: 600; border-radius: 3px; padding-block: .05em; }
.quiet { color: var(--_muted); font-size: .875em; }
.plain { background: none; border: 1px solid var(--_line); border-radius: var(--_radius); padding: .35em .8em; color: var(--_accent); }
.plain:hover { border-color: var(--_accent); }
.plain:disabled { color: var(--_muted); cursor: default; border-color: var(--_line); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.problem { border-inline-start: 4px solid var(--_warn); padding: .5em .9em; display: grid; gap: .5em; justify-items: start; }
.problem .what { color: var(--_warn); font-weight: 600; }
@media (prefers-contrast: more) {
  :host { --_muted: var(--_text); --_line: currentColor; }
}
@media (forced-colors: active) {
  mark.quote, .span { forced-color-adjust: none; background: Mark; color: MarkText; }
  .span { outline: 2px solid MarkText; }
}
`;

const ANSWER = `
form { display: flex; gap: .5em; }
input { flex: 1; min-width: 0; padding: .65em .9em; background: var(--_surface); border: 1px solid light-dark(#7b837f, #7d8683); border-radius: var(--_radius); }
input::placeholder { color: var(--_muted); opacity: 1; }
.ask { padding: .65em 1.3em; border: 1px solid transparent; border-radius: var(--_radius); background: var(--_accent); color: var(--_on-accent); font-weight: 600; }
.ask:hover { filter: brightness(1.08); }
.result { display: grid; gap: 1.1em; }
.result:not(:empty) { margin-block-start: 1.25em; }
.result[aria-busy="true"] > :not(.waiting) { opacity: .45; }
.result { grid-template-columns: minmax(0, 1fr); }
.answer { display: grid; gap: .55em; overflow-wrap: anywhere; }
blockquote { font-size: 1.2em; line-height: 1.5; white-space: pre-line; unicode-bidi: plaintext; }
.more blockquote, .sides blockquote { font-size: 1em; }
.cite { border: 0; background: none; color: var(--_accent); font-size: .7em; font-weight: 650; vertical-align: super; line-height: 1; padding: .25em .4em; min-width: 24px; min-height: 24px; margin-inline-start: .15em; border-radius: 6px; }
.cite:hover, .cite[aria-pressed="true"] { background: var(--_accent); color: var(--_on-accent); }
.confidence { display: flex; align-items: center; gap: .7em; flex-wrap: wrap; }
.bar { width: 7em; height: .4em; border-radius: 1em; background: var(--_line); overflow: hidden; border: 0 solid CanvasText; }
.fill { height: 100%; width: calc(var(--share) * 100%); background: var(--_accent); border-radius: inherit; }
.sides { display: grid; gap: 1em; grid-template-columns: repeat(auto-fit, minmax(min(100%, 16em), 1fr)); }
.sides > * { border: 1px solid var(--_line); border-radius: var(--_radius); padding: 1em; align-content: start; }
.heading { color: var(--_warn); }
.sources { list-style: none; display: grid; gap: .4em; border-block-start: 1px solid var(--_line); padding-block-start: .9em; }
.sources li { display: grid; grid-template-columns: 2em minmax(0, 1fr); overflow-wrap: anywhere; }
.number { color: var(--_muted); font-variant-numeric: tabular-nums; }
.open { border: 0; background: none; padding: .1em 0; text-align: start; color: var(--_accent); text-decoration: underline; text-underline-offset: .2em; text-decoration-thickness: 1px; }
.open:hover { text-decoration-thickness: 2px; }
.near { display: grid; gap: .8em; padding: 0; list-style: none; }
.near li { border: 1px solid var(--_line); border-radius: var(--_radius); padding: .8em 1em; display: grid; gap: .4em; justify-items: start; }
.near .text { white-space: pre-line; unicode-bidi: plaintext; overflow-wrap: anywhere; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 4; overflow: hidden; width: 100%; }
summary { cursor: pointer; color: var(--_accent); padding-block: .2em; }
details[open] > .more { display: grid; gap: 1.1em; margin-block-start: .8em; }
.waiting { display: grid; gap: .6em; }
.waiting i { height: 1.1em; border-radius: 4px; background: var(--_line); opacity: .6; }
.waiting i:last-child { width: 60%; }
@media (prefers-reduced-motion: no-preference) {
  .waiting i { animation: wait 1.4s ease-in-out infinite alternate; }
  @keyframes wait { to { opacity: .25; } }
}
@media (forced-colors: active) {
  .waiting i { border: 1px solid GrayText; }
  .bar { border-width: 1px; }
  .cite[aria-pressed="true"] { outline: 2px solid Highlight; }
  .fill { forced-color-adjust: none; background: Highlight; }
}
pincite-source { --pincite-source-height: 24em; }
`;

const SOURCE = `
.frame { border: 1px solid var(--_line); border-radius: var(--_radius); background: var(--_surface); overflow: hidden; display: grid; grid-template-rows: auto auto minmax(0, 1fr); max-height: var(--pincite-source-height, 70vh); min-height: var(--pincite-source-min-height, 0); }
header { padding: .7em 1em; border-block-end: 1px solid var(--_line); display: flex; gap: .3em 1em; flex-wrap: wrap; align-items: center; justify-content: space-between; overflow-wrap: anywhere; }
.told { padding: .7em 1em; border-block-end: 1px solid var(--_line); overflow-wrap: anywhere; display: grid; gap: .5em; }
.told:empty { display: none; }
.told:has(+ [hidden]) { border-block-end: 0; }
.told.warn { border-inline-start: 4px solid var(--_warn); }
.told q { quotes: none; white-space: pre-line; unicode-bidi: plaintext; border-inline-start: 3px solid var(--_line); padding-inline-start: .8em; }
.actions { display: flex; gap: .4em 1em; flex-wrap: wrap; align-items: center; }
.text { overflow: auto; padding: 1em; overscroll-behavior: contain; outline-offset: -3px; min-height: 6em; scrollbar-gutter: stable; }
.piece { white-space: pre-wrap; unicode-bidi: plaintext; overflow-wrap: anywhere; content-visibility: auto; contain-intrinsic-block-size: auto calc(var(--lines) * 1.5em); }
`;

function sheet(css) {
  const made = new CSSStyleSheet();
  made.replaceSync(css);
  return made;
}

const shared = sheet(SHARED);
export const answerSheets = [shared, sheet(ANSWER)];
export const sourceSheets = [shared, sheet(SOURCE)];

/** Styles for highlighting a quote in the host page's own text. */
export const HIGHLIGHT = "pincite-quote";
export const pageSheet = sheet(`::highlight(${HIGHLIGHT}) { background-color: #ffe58a; color: #1b1d1c; }`);
