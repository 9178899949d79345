/** What a person might send. The passages hardly repeat themselves, so that only the prompt can help to guess the answer. */

export const passages: readonly string[] = [
  "The ferry left the harbour at a quarter past six, while gulls still slept on the breakwater. Marta counted nine " +
    "passengers: two fishermen with a crate of eels, a schoolteacher, a family of five and an old piano tuner who held " +
    "his leather bag like a child. Halfway across the sound the engine coughed, fell silent, then caught again with a " +
    "smell of burnt oil. Nobody spoke until the lighthouse of Skarven rose out of the mist, striped red and white, and " +
    "somebody began to laugh for no reason at all. By eight the quay was full of bicycles, bread and gossip.",
  "To mend a wooden chair, first take the loose joint apart and scrape every trace of dried glue from both surfaces. " +
    "Cut a thin wedge of beech, about four centimetres long, and tap it into the slotted end of the tenon. Warm the new " +
    "hide glue to sixty degrees, brush it on quickly, and press the rail home before it cools. A loop of cord twisted " +
    "with a stick makes a good clamp when no other tool is at hand. Leave the chair on a level floor overnight; in the " +
    "morning sand the edges, rub in some linseed oil, and sit down carefully.",
  "Section 12. The library opens on weekdays from ten until seven, on Saturdays until two. Members may borrow up to " +
    "eight books, three films and one board game for twenty-one days; atlases, newspapers and anything printed before " +
    "1900 stay in the reading room. Whoever returns an item late pays ten cents a day, children under fourteen nothing. " +
    "Dogs wait outside. Food is allowed in the courtyard only, between the fig tree and the well. A lost card is " +
    "replaced for two euros, once the clerk has seen a passport or a similar paper with a photograph.",
];

export function repeatPrompt(passage: string): string {
  return `Repeat the following text exactly, word for word, without any comment:\n\n${passage}`;
}

export const questions: readonly string[] = [
  "Tell me how a small town changed after its railway station was closed.",
  "Why do some people like to swim in cold water? Explain it to a friend.",
  "Describe the work of a baker from the evening until the shop opens.",
  "Write a letter to a neighbour who will look after your garden in summer.",
  "What should one know before moving from a city to an island?",
  "Invent a short story about a lost key and a patient cat.",
];

/** Words in a row that count as taken over. */
const run = 4;

/** Share of the answer's words that stand in the prompt too, in runs of at least four. */
export function copiedShare(prompt: string, answer: string): number {
  const words = answer.split(/\s+/).filter((word) => word !== "");
  const source = ` ${prompt.split(/\s+/).join(" ")} `;
  const copied = new Set<number>();
  for (let start = 0; start + run <= words.length; start++) {
    if (!source.includes(` ${words.slice(start, start + run).join(" ")} `)) continue;
    for (let index = start; index < start + run; index++) copied.add(index);
  }
  return words.length === 0 ? 0 : copied.size / words.length;
}
