// Creates elements without HTML strings, so that text of documents and the service can never become markup.

/** element("p", {class: "note", onclick: f}, "text", child). Attributes that are null, undefined or false are left out. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** The URL if it is http or https, else null: a document's `url` could be a script. */
export function webAddress(text) {
  if (!text || !URL.canParse(text)) return null;
  const address = new URL(text);
  return ["http:", "https:"].includes(address.protocol) ? address.href : null;
}

/** Whole percent, never 0 or 100, because no confidence is certain. */
export function percent(share) {
  return Math.min(99, Math.max(1, Math.round(share * 100)));
}
