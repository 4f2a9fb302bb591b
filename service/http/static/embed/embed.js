// <pincite-answer> and <pincite-source>: answers in anybody's page, quoted word for word, painted in their source.
import { PinciteAnswer } from "./embed/answer.js";
import { PinciteSource } from "./embed/source.js";
// What these two import, named here so that all of it is fetched at once.
import "./embed/elements.js";
import "./embed/styles.js";
import "./embed/painting.js";
import "./embed/anchoring.js";

for (const [name, element] of [["pincite-source", PinciteSource], ["pincite-answer", PinciteAnswer]]) {
  if (!customElements.get(name)) customElements.define(name, element);
}

export { PinciteAnswer, PinciteSource };
export { Client, Problem } from "./embed/client.js";
export { Citation } from "./embed/citations.js";
