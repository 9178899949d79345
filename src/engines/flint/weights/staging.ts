/** Where rows of the file wait to be packed: memory of a worker, before it computes. */
import type { GgmlTypeName } from "../../../formats/gguf/ggml.ts";
import { ggmlType, tensorBytes } from "../../../formats/gguf/ggml.ts";
import { rowGroup } from "./layout.ts";

/** At its start, what a kernel looks up. */
export const tableBytes: number = 24 * 1024;

export function groupBytes(type: GgmlTypeName, k: number): number {
  return tensorBytes(ggmlType(type), [k]) * rowGroup;
}

/** Bytes that are enough for a matrix with rows of `k` weights: a table and a row group. */
export function leastStagingBytes(type: GgmlTypeName, k: number): number {
  return tableBytes + groupBytes(type, k);
}
