import { malformed } from "../json.ts";
import type { Json } from "../json.ts";
import type { TokenTable } from "./table.ts";

type Merge = readonly [left: string, right: string];

/** `model.merges`: pairs, or in older files texts with one space between. */
export function readMerges(model: Json): readonly Merge[] {
  const merges = model["merges"];
  if (!Array.isArray(merges)) throw malformed("tokenizer.json", "model.merges", "is no list");
  return merges.map((merge: unknown, index) => {
    const parts: readonly unknown[] = typeof merge === "string" ? merge.split(" ") : Array.isArray(merge) ? merge : [];
    const [left, right] = parts;
    if (parts.length === 2 && typeof left === "string" && typeof right === "string") return [left, right];
    throw malformed("tokenizer.json", "model.merges", `holds something at ${index} that is no pair`);
  });
}

/** What no merge makes comes after all that one does. */
const never = -1e6;

/**
 * SentencePiece joins the two neighbours whose text together has the highest score: that of the first merge that makes it.
 * Single characters are made by none and need no score.
 */
export function scoresOfMerges(merges: readonly Merge[], table: TokenTable): void {
  const ranks = new Map<string, number>();
  for (const [rank, [left, right]] of merges.entries()) {
    const text = left + right;
    if (!ranks.has(text)) ranks.set(text, rank);
  }
  for (let id = 0; id < table.size; id++) {
    const token = table.at(id);
    if (!token) continue;
    const rank = ranks.get(token.text);
    token.score = rank === undefined ? (isCharacter(token.text) ? 0 : never) : -rank - 1;
  }
}

function isCharacter(text: string): boolean {
  return text.length <= 2 && text.length === String.fromCodePoint(text.codePointAt(0) ?? 0).length;
}
