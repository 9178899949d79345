/** Texts that are computed at once and forgotten: hidden states of encoders, and how likely a text is. */
import type { BlockTable } from "../cache/blocks.ts";
import { logprobsOf } from "../sampling/logprobs.ts";
import type { Steps } from "./steps.ts";

/**
 * Hidden states of all rows of a text, one after the other, or the scores of a model that ranks: one row. All of the text
 * goes into one step.
 */
export function encodeText(steps: Steps, tokens: readonly number[]): Float32Array {
  const rows = steps.plan.result.kind === "hidden" ? tokens.length : 1;
  return forgetting(steps, (table) => {
    steps.run([{ tokens, position: 0, table, outputsFrom: 0, outputsTo: rows }]);
    const all = new Float32Array(rows * steps.width);
    for (let row = 0; row < rows; row++) all.set(steps.row(row), row * steps.width);
    return all;
  });
}

/** Natural logarithm of the probability of each token from `from` on, at least 1, given all those before it. */
export function scoreText(steps: Steps, tokens: readonly number[], from: number): Float32Array {
  const { all, outputs } = steps.plan.capacity;
  const result = new Float32Array(Math.max(0, tokens.length - from));
  return forgetting(steps, (table) => {
    for (let at = 0; at < tokens.length - 1;) {
      const scored = at + 1 >= from;
      const most = scored ? Math.min(all, outputs) : Math.min(all, from - 1 - at);
      const part = tokens.slice(at, Math.min(tokens.length - 1, at + most));
      steps.run([{ tokens: part, position: at, table, outputsFrom: scored ? 0 : part.length }]);
      const scoredRows = scored ? part.length : 0;
      for (let row = 0; row < scoredRows; row++) {
        const next = at + row + 1;
        result[next - from] = logprobsOf(steps.row(row), tokens[next] ?? 0, 0).logprob;
      }
      at += part.length;
    }
    return result;
  });
}

/** The last table is kept for this. */
function forgetting<T>({ tables }: Steps, work: (table: BlockTable) => T): T {
  const table = tables.at(-1);
  if (!table) throw new RangeError("no table");
  try {
    return work(table);
  } finally {
    table.truncate(0);
  }
}
