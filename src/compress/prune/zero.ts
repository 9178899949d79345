/** Rows in which the weights that count least are zero. */
import { HearthError } from "../../error.ts";
import type { MatrixRows } from "../../formats/checkpoint/scheme.ts";
import { printable } from "../../formats/gguf/malformed.ts";
import type { Zeros } from "./contract.ts";
import { readMagnitudes, readWords } from "./rows.ts";
import type { Words } from "./rows.ts";
import { markSmallest } from "./smallest.ts";
import { findThreshold } from "./threshold.ts";

export interface ZeroOptions {
  readonly name: string;
  readonly zeros: Zeros;
  /** ‖x‖ of each column, `k` for each expert (Wanda); absent: magnitude alone. */
  readonly norms?: Float32Array | undefined;
  /** Rows of one expert. */
  readonly expertRows: number;
}

export interface ZeroedRows {
  readonly rows: MatrixRows;
  /** Weights that are zero in the rows that were read, each counted once. */
  readonly count: () => number;
}

/**
 * Wanda compares the weights of one output, magnitude all of a matrix; with a pattern those that stand side by side. What
 * stays keeps its bits. Throws `model_malformed` for weights that are not finite.
 */
export function zeroRows(rows: MatrixRows, options: ZeroOptions): ZeroedRows {
  const { n, k, type } = rows;
  const choose = createChoice(rows, options);
  const seen = new Uint8Array(n);
  let total = 0;
  const readRows: MatrixRows["readRows"] = (first, count, target) => {
    const words = readWords(rows, first, count);
    for (let row = 0; row < count; row++) {
      const part = words.subarray(row * k, (row + 1) * k);
      choose(part, first + row);
      if (seen[first + row] === 1) continue;
      seen[first + row] = 1;
      total += zerosIn(part);
    }
    target.set(new Uint8Array(words.buffer));
  };
  return { rows: { type, n, k, readRows }, count: () => total };
}

function zerosIn(words: Words): number {
  const magnitude = words.BYTES_PER_ELEMENT === 2 ? 0x7fff : 0x7fff_ffff;
  let count = 0;
  for (let i = 0; i < words.length; i++) if ((words[i]! & magnitude) === 0) count++;
  return count;
}

/** Makes weights of one row zero. */
type Choose = (words: Words, row: number) => void;

function createChoice(rows: MatrixRows, { name, zeros, norms, expertRows }: ZeroOptions): Choose {
  const { k } = rows;
  const scores = new Float32Array(k);
  const readScores: Choose = (words, row) => {
    readMagnitudes(words, rows.type, scores);
    for (let i = 0; i < k; i++) if (!(scores[i]! < Infinity)) throw damaged(name);
    if (!norms) return;
    const start = Math.floor(row / expertRows) * k;
    for (let i = 0; i < k; i++) scores[i]! *= norms[start + i]!;
  };
  if ("of" in zeros) return chooseInGroups(scores, zeros, readScores);
  if (norms) return chooseInRow(scores, zeros.part, readScores);
  let threshold: ReturnType<typeof findThreshold> | undefined;
  return (words, row) => {
    threshold ??= findThreshold(rows, zeros.part);
    readScores(words, row);
    const { value, end } = threshold;
    for (let i = 0; i < k; i++) {
      if (scores[i]! < value || (scores[i] === value && row * k + i < end)) words[i] = 0;
    }
  };
}

function chooseInRow(scores: Float32Array, part: number, readScores: Choose): Choose {
  const k = scores.length;
  const marks = new Uint8Array(k);
  const scratch = new Float32Array(k);
  return (words, row) => {
    readScores(words, row);
    markSmallest(scores, Math.round(k * part), marks, scratch);
    for (let i = 0; i < k; i++) if (marks[i] === 1) words[i] = 0;
  };
}

function chooseInGroups(scores: Float32Array, { keep, of }: { keep: number; of: number }, readScores: Choose): Choose {
  const marks = new Uint8Array(of);
  const scratch = new Float32Array(of);
  return (words, row) => {
    readScores(words, row);
    for (let start = 0; start < scores.length; start += of) {
      markSmallest(scores.subarray(start, start + of), of - keep, marks, scratch);
      for (let i = 0; i < of; i++) if (marks[i] === 1) words[start + i] = 0;
    }
  };
}

function damaged(name: string): HearthError {
  return new HearthError("model_malformed", `Tensor ${printable(name)} has weights that are not finite.`, {
    hint: "The weights are damaged: fetch or convert the model again.",
    details: { field: printable(name) },
  });
}
