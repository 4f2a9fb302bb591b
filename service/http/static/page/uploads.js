// Uploads by drag and drop or file selection, if the key may write.

import { element } from "/embed/elements.js";

let taken = false;

/** `client` returns the current client, because the key can change. */
export async function acceptUploads(place, client, done) {
  place.hidden = !(await client().mayWrite());
  if (taken) return;
  taken = true;
  const choice = place.querySelector("input");
  choice.addEventListener("change", () => put([...choice.files]).then(() => (choice.value = "")));
  for (const name of ["dragover", "dragleave", "drop"]) {
    place.addEventListener(name, (event) => {
      event.preventDefault();
      place.classList.toggle("over", name === "dragover");
      if (name === "drop") put([...event.dataTransfer.files]);
    });
  }

  async function put(files) {
    const list = place.querySelector("ul");
    list.replaceChildren();
    for (const file of files) {
      const line = element("li", {}, `${file.name}: uploading`);
      list.append(line);
      line.textContent = await client().put(file, file.name).then(() => `${file.name}: ready for questions`, (problem) => `${file.name}: ${problem.detail ?? problem}`);
    }
    await done();
  }
}
