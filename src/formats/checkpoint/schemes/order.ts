/** Columns and the groups that they belong to: in order, or as the activations had it (GPTQ's act-order). */
import type { RawTensor } from "../scheme.ts";
import { readWords } from "./numbers.ts";
import { expectShape, partFault } from "./parts.ts";

/** Columns that a block of ggml holds. */
const blockWidth = 32;

/** Groups of `size` columns, one after the other. */
export function evenGroups(k: number, size: number): Uint32Array {
  return Uint32Array.from({ length: k }, (_, column) => Math.floor(column / size));
}

/** Whether all columns of each block belong to one group. */
export function isInBlocks(groupOf: Uint32Array): boolean {
  return (
    groupOf.length % blockWidth === 0 &&
    groupOf.every((group, column) => group === groupOf[column - (column % blockWidth)])
  );
}

export interface SortedColumns {
  /** The column that stands at each place. */
  readonly columns: Uint32Array;
  /** Group of each place. */
  readonly groupOf: Uint32Array;
}

/** Columns of a group next to each other, each group in its old order. */
export function sortColumns(groupOf: Uint32Array): SortedColumns {
  const columns = Uint32Array.from(groupOf.keys()).sort((a, b) => groupOf[a]! - groupOf[b]! || a - b);
  return { columns, groupOf: columns.map((column) => groupOf[column]!) };
}

/** `g_idx`: the group of each of `k` columns, below `groups`; undefined where all are -1: it is not used. */
export function readGroupIndex(
  part: RawTensor,
  { k, groups }: { readonly k: number; readonly groups: number },
): Uint32Array | undefined {
  expectShape(part, [k], `a matrix of ${k} columns`);
  const groupOf = readWords(part);
  if (groupOf.every((group) => group === 0xffff_ffff)) return undefined;
  const wrong = groupOf.findIndex((group) => group >= groups);
  if (wrong < 0) return groupOf;
  throw partFault(part.name, `names group ${groupOf[wrong]! | 0} for column ${wrong}; there are ${groups}`);
}
