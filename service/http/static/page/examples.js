// Example questions made from document titles; only those that the service can answer.

const OFFERED = 3;
const TRIED = 5;
const NAME = /^(The )?\p{Lu}[\p{L}\p{M}'’-]*( (of|and|the|\p{Lu}[\p{L}\p{M}'’-]*)){0,5}$/u; // not a file name

/** Yields them one by one. They use the same options as <pincite-answer>, so its answer is already cached. */
export async function* exampleQuestions(client, documents) {
  const names = documents.map(({ title }) => title).filter((title) => NAME.test(title));
  let offered = 0;
  for (const name of names.slice(0, TRIED)) {
    const question = `What is ${name.replace(/^The /, "the ")}?`;
    const told = await client.ask(question, { max_answers: 3, passages: 3 }).catch(() => null);
    if (told?.status !== "answered") continue;
    yield question;
    if (++offered === OFFERED) return;
  }
}
