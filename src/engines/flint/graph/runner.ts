/** What running a stage means, and the choices that kernels and their callers share. */
import type { FunctionCode } from "../kernels/wasm/code.ts";
import type { Layout } from "../weights/layout.ts";
import type { Counts } from "./counts.ts";

export type Kernel = (...parameters: number[]) => void;
export type Kernels = Readonly<Record<string, Kernel>>;

/** What runs a stage: in how many pieces, and one of them. */
export interface StageRunner {
  pieces(counts: Counts): number;
  run(piece: number, counts: Counts): void;
  /** Computes a piece into memory of the worker's own; `publish` then copies it to its place. */
  aside?(piece: number, counts: Counts): void;
  publish?(piece: number, counts: Counts): void;
  /** Too little to share. */
  readonly alone?: boolean;
  /** Enough to share with few rows too, although its pieces cannot be computed aside. */
  readonly long?: boolean;
}

/** Rows of a step up to which pieces are computed aside: stages then take less time than a time slice of the system. */
export const asideRows = 2;

/** Names of kernels and what writes them. */
export type KernelWriters = readonly (readonly [name: string, write: () => FunctionCode])[];

/**
 * Row groups that are read side by side: as many as registers have room for. With one row of activations the weights of
 * long rows come fastest as four streams; short rows as one.
 */
export function streamsFor(layout: Layout, k: number, tokens: number): number {
  if (tokens > 2 || layout.kind === "float") return 1;
  if (tokens === 2) return 2;
  return k >= 1024 ? 4 : 1;
}
