// Questions made of the titles of what is there. Only those that the service answers are shown.

const SHOWN = 3;
const TRIED = 5;
const NAME = /^\p{Lu}[\p{L}\p{M}' .-]{2,40}$/u; // a title that is a name, not a file's

export async function exampleQuestions(client, documents) {
  const questions = documents.map(({ title }) => title).filter((title) => NAME.test(title)).slice(0, TRIED).map((title) => `What is ${title}?`);
  const found = [];
  for (const question of questions) {
    if (found.length === SHOWN) break;
    const told = await client.ask(question, { max_answers: 3, passages: 3 }).catch(() => null);
    if (told?.status === "answered") found.push(question);
  }
  return found;
}
