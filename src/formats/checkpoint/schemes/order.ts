/** Columns and the groups that they belong to: in order, or as the activations had it (GPTQ's act-order). */

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
