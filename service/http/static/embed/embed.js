// <pincite-answer> and <pincite-source>: verbatim answers in any page, highlighted in their source.
import { PinciteAnswer } from "./embed/answer.js";
import { PinciteSource } from "./embed/source.js";
// Their imports, listed here so that all files are fetched in parallel.
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
