import { HearthError } from "../../error.ts";
import { printable } from "../../formats/gguf/malformed.ts";
import type { ImportanceFile } from "./contract.ts";

interface Matrices {
  readonly name: string;
  readonly k: number;
  readonly experts: number;
}

/** Of the mean: a column that the text never used is not free to become anything. */
const least = 1e-3;

/**
 * The importance of each column, the mean of a matrix being 1: `k` for each expert; undefined where nothing is known of the
 * tensor. An expert that no token chose counts as if all its columns were the same. Throws `bad_request` for a matrix
 * of another shape.
 */
export function importanceOf({ entries }: ImportanceFile, { name, k, experts }: Matrices): Float32Array | undefined {
  const entry = entries.get(name);
  if (!entry) return undefined;
  const { sums, counts } = entry;
  // Older files have one count for all experts.
  if (sums.length !== k * experts || (counts.length !== experts && counts.length !== 1)) {
    throw new HearthError(
      "bad_request",
      `The importance matrix has ${sums.length} columns for ${printable(name)}, which has ${k * experts}.`,
      { hint: "It was made from another model. Make one with `hearth imatrix MODEL --text FILE`." },
    );
  }
  const shared = new Float32Array(new SharedArrayBuffer(sums.length * 4));
  for (let expert = 0; expert < experts; expert++) {
    const part = sums.subarray(expert * k, (expert + 1) * k);
    const total = (counts[counts.length === 1 ? 0 : expert] ?? 0) > 0 ? part.reduce((sum, value) => sum + value, 0) : 0;
    for (let i = 0; i < k; i++) {
      shared[expert * k + i] = total > 0 ? Math.max(least, ((part[i] ?? 0) * k) / total) : 1;
    }
  }
  return shared;
}
