/** The likeliest tokens of a row of logits. */
import type { Machine } from "../train/machine.ts";
import { constantsEnd } from "../../engines/flint/kernels/wasm/constants.ts";
import type { Answer } from "../train/loss.ts";

export interface LikeliestOptions {
  readonly temperature: number;
  /** How many. */
  readonly top: number;
}

/** Bytes of memory that the machine must have for rows of so many logits. */
export function likeliestBytes(width: number): number {
  return constantsEnd + width * 8 + 128;
}

/** Writes the row's likeliest tokens, in no order, with their probability at the temperature, among all tokens. */
export function findLikeliest(machine: Machine, row: Float32Array, target: Answer, options: LikeliestOptions): void {
  const { temperature, top } = options;
  const width = row.length;
  const [logits, room] = [constantsEnd, constantsEnd + width * 4];
  machine.floats.set(row, logits / 4);
  const most = machine.call("largest", logits, width);
  const sum = machine.call("exponentials", logits, most, 1 / temperature, room, width);
  const { tokens, probabilities } = target;
  for (let i = 0; i < top; i++) sink(row, { tokens, size: i + 1, token: i, at: i });
  for (let token = top; token < width; token++) {
    if (row[token]! > row[tokens[0]!]!) replaceLeast(row, tokens, { size: top, token });
  }
  for (let i = 0; i < top; i++) probabilities[i] = Math.exp((row[tokens[i]!]! - most) / temperature) / sum;
}

interface Sinking {
  readonly tokens: Int32Array;
  readonly size: number;
  readonly token: number;
  readonly at: number;
}

/** Puts a token at the end of the heap, whose root is the least likely, and lets it rise. */
function sink(row: Float32Array, { tokens, token, at }: Sinking): void {
  let place = at;
  while (place > 0) {
    const parent = (place - 1) >> 1;
    if (row[tokens[parent]!]! <= row[token]!) break;
    tokens[place] = tokens[parent]!;
    place = parent;
  }
  tokens[place] = token;
}

function replaceLeast(row: Float32Array, tokens: Int32Array, { size, token }: { size: number; token: number }): void {
  let place = 0;
  for (;;) {
    let child = 2 * place + 1;
    if (child >= size) break;
    if (child + 1 < size && row[tokens[child + 1]!]! < row[tokens[child]!]!) child++;
    if (row[tokens[child]!]! >= row[token]!) break;
    tokens[place] = tokens[child]!;
    place = child;
  }
  tokens[place] = token;
}
