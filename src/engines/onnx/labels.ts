import type { Label } from "../../spec/perform.ts";
import type { Config } from "./files.ts";
import { isConfig } from "./files.ts";
import { sigmoid, softmax } from "./values.ts";

const defaultTopK = 5;

/** Names of classes in their order, from `id2label`; of those without one, their numbers. */
export function labelNames(config: Config | undefined): (index: number) => string {
  const names = config?.["id2label"];
  return (index) => {
    const name = isConfig(names) ? names[String(index)] : undefined;
    return typeof name === "string" ? name : String(index);
  };
}

/** Scores of a classifier → its likeliest labels. Of several that may all be true each has its own probability. */
export function rank(
  logits: ArrayLike<number>,
  {
    name,
    topK = defaultTopK,
    several = false,
  }: { name: (index: number) => string; topK?: number | undefined; several?: boolean },
): Label[] {
  const scores = several || logits.length === 1 ? Array.from(logits, sigmoid) : softmax(logits);
  return scores
    .map((score, index) => ({ label: name(index), score }))
    .sort((a, b) => b.score - a.score)
    .slice(0, topK);
}
