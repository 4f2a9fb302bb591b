// The page at `/`: the two components, the list of documents, and the size of the index.

import { Client, Problem } from "/embed.js";
import { element } from "/embed/elements.js";
import { exampleQuestions } from "/page/examples.js";
import { acceptUploads } from "/page/uploads.js";

const KEY = "pincite-key";
const at = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const collection = query.get("collection") ?? "default";

let client;

function start() {
  const token = sessionStorage.getItem(KEY);
  client = new Client({ token, collection });
  for (const component of [at("answer"), at("source")]) {
    component.setAttribute("collection", collection);
    if (token) component.setAttribute("token", token);
  }
  return Promise.all([state(), library()]);
}

async function state() {
  try {
    const { collections, index_version: version } = await client.ready();
    const own = collections.find(({ name }) => name === collection);
    const count = (number, name) => `${number.toLocaleString("en")} ${name}${number === 1 ? "" : "s"}`;
    at("state").textContent = own ? `${count(own.documents, "document")}, ${count(own.passages, "passage")} · version ${version}` : "";
  } catch (problem) {
    at("state").textContent = problem.detail ?? String(problem);
  }
}

async function library(cursor = null) {
  try {
    const { documents, next } = await client.documents(cursor);
    if (!cursor) await acceptUploads(at("upload"), () => client, start);
    const lines = documents.map(({ source, title, sentences }) => {
      const open = element("button", { class: "open", type: "button", dir: "auto", onclick: () => openSource(source) }, title || source);
      return element("li", {}, open, element("div", { class: "quiet" }, `${source} · ${sentences} sentence${sentences === 1 ? "" : "s"}`));
    });
    if (cursor) at("documents").append(...lines);
    else at("documents").replaceChildren(...lines);
    at("more").hidden = !next;
    at("more").onclick = () => library(next);
    at("key").hidden = true;
    at("asking").hidden = false;
    if (!cursor) await opened(documents);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if ([401, 403].includes(problem.status)) return askForKey(problem);
    at("documents").replaceChildren(element("li", {}, problem.detail));
    at("library").classList.add("listed");
  }
}

async function opened(documents) {
  const asked = query.get("q");
  // Shown only after the answer to the question in the link, to avoid a layout shift.
  if (asked && !at("answer").response) await at("answer").ask(asked);
  at("library").classList.add("listed");
  if (asked) return;
  at("examples").replaceChildren();
  for await (const question of exampleQuestions(client, documents)) {
    at("examples").append(element("button", { type: "button", onclick: () => at("answer").ask(question) }, question));
    at("examples").hidden = at("answer").question !== "";
  }
}

function openSource(source) {
  at("source").classList.add("open");
  at("source").open(source);
  at("source").scrollIntoView({ block: "nearest" });
}

function askForKey(problem) {
  at("asking").hidden = true;
  at("key").hidden = false;
  if (sessionStorage.getItem(KEY)) at("why").textContent = `${problem.detail} Enter another key.`;
  sessionStorage.removeItem(KEY);
  at("secret").focus();
}

at("key").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, at("secret").value.trim());
  at("secret").value = "";
  start();
});

for (const name of ["pincite-answer", "pincite-error"]) {
  at("answer").addEventListener(name, ({ detail: { question } }) => {
    const link = new URL(location.href);
    link.searchParams.set("q", question);
    if (link.href !== location.href) history.pushState(null, "", link);
    at("examples").hidden = true;
    at("source").clear();
    at("source").classList.remove("open");
    document.title = `${question} · Pincite`;
  });
}
at("answer").addEventListener("pincite-cite", () => at("source").classList.add("open"));
addEventListener("popstate", () => {
  const question = new URLSearchParams(location.search).get("q");
  if (question) at("answer").ask(question);
});

start();
