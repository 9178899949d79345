import { malformed } from "./fail.ts";
import type { Joins } from "./merge.ts";
import type { Pieces, PieceSource } from "./pieces.ts";

/**
 * The merges of a byte-pair vocabulary, by the two tokens that they join. The number of a merge is its rank: the first
 * merge of the list goes before all others.
 */
export interface Merges extends Joins {
  readonly size: number;
  readonly lefts: Int32Array;
  readonly rights: Int32Array;
  readonly tokens: Int32Array;
}

/**
 * Reads merges written as `LEFT RIGHT`. Throws `model_malformed` where one of the two, or both together, are no
 * token. `field`: what messages call the list.
 */
export function readMerges(source: PieceSource, pieces: Pieces, field: string): Merges {
  const builder = createMergeTable(source.length);
  let scratch = new Uint8Array(256);
  for (let rank = 0; rank < source.length; rank++) {
    const bytes = source.bytes(rank);
    // A text may be a space itself, so the one between the two is not the first character.
    const gap = bytes.indexOf(0x20, 1);
    if (gap < 0) throw malformed(field, `has a merge ${rank} without a space`);
    if (scratch.length < bytes.length) scratch = new Uint8Array(bytes.length * 2);
    for (let at = 0; at < gap; at++) scratch[at] = bytes[at]!;
    for (let at = gap + 1; at < bytes.length; at++) scratch[at - 1] = bytes[at]!;
    const left = pieces.find(bytes, 0, gap);
    const right = pieces.find(bytes, gap + 1, bytes.length);
    const token = pieces.find(scratch, 0, bytes.length - 1);
    if (left < 0 || right < 0 || token < 0) throw malformed(field, `has a merge ${rank} of texts that are no tokens`);
    builder.add(rank, left, right, token);
  }
  return builder.merges;
}

export interface MergeTable {
  readonly merges: Merges;
  /** Of equal pairs the first rank stays. */
  add(rank: number, left: number, right: number, token: number): void;
}

/** A hash table with open addressing from pairs of tokens to merges. */
export function createMergeTable(size: number): MergeTable {
  const lefts = new Int32Array(size);
  const rights = new Int32Array(size);
  const tokens = new Int32Array(size);
  let slots = 16;
  while (slots < size * 2) slots *= 2;
  const table = new Int32Array(slots).fill(-1);
  const slotOf = (left: number, right: number): number => {
    const hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    let slot = (hash ^ (hash >>> 15)) & (slots - 1);
    for (;;) {
      const rank = table[slot] ?? -1;
      if (rank < 0 || (lefts[rank] === left && rights[rank] === right)) return slot;
      slot = (slot + 1) & (slots - 1);
    }
  };
  return {
    add(rank, left, right, token) {
      const slot = slotOf(left, right);
      if ((table[slot] ?? -1) >= 0) return;
      lefts[rank] = left;
      rights[rank] = right;
      tokens[rank] = token;
      table[slot] = rank;
    },
    merges: {
      size,
      lefts,
      rights,
      tokens,
      find: (left, right) => (left < 0 || right < 0 ? -1 : (table[slotOf(left, right)] ?? -1)),
      rank: (merge) => merge,
      token: (merge) => tokens[merge] ?? -1,
    },
  };
}
