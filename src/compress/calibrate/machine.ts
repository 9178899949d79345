/** Multiplies matrices in a memory of its own; one for each thread. */
import { encodeModule, mostPages } from "../../engines/flint/kernels/wasm/module.ts";
import { atLevel, detectLevel } from "../../engines/flint/kernels/wasm/simd.ts";
import { tile, tileColumns, tileRows } from "../../engines/flint/kernels/wasm/tile.ts";

/** A matrix in the memory. All in floats. */
export interface Placed {
  readonly at: number;
  /** From row to row. */
  readonly stride: number;
}

export interface Product {
  /** [m][k]; `step` from column to column, default 1. */
  readonly a: Placed & { readonly step?: number };
  /** [k][n] */
  readonly b: Placed;
  /** [m][n], to which the product is added; with room for whole tiles. */
  readonly c: Placed;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

export interface Machine {
  /** The memory, with room for at least so many floats. Views of an older, smaller one stay valid. */
  room(floats: number): Float32Array;
  multiply(product: Product): void;
}

type Tile = (...parameters: number[]) => void;

/** Steps that are taken at once: a piece of B that stays in the first cache. */
const mostSteps = 256;
const pageFloats = 16_384;

let compiled: WebAssembly.Module | undefined;

export function createMachine(): Machine {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: mostPages, shared: true });
  compiled ??= new WebAssembly.Module(
    atLevel(detectLevel() ?? "plain", () => encodeModule({ memories: 1, functions: [tile()] })),
  );
  const { exports } = new WebAssembly.Instance(compiled, { memory: { "0": memory } });
  const run = exports["tile"] as Tile;
  return {
    room(floats) {
      const missing = Math.ceil(floats / pageFloats) - memory.buffer.byteLength / (pageFloats * 4);
      if (missing > 0) memory.grow(missing);
      return new Float32Array(memory.buffer);
    },
    multiply({ a, b, c, m, n, k }) {
      const step = (a.step ?? 1) * 4;
      for (let from = 0; from < k; from += mostSteps) {
        const steps = Math.min(mostSteps, k - from);
        for (let column = 0; column < n; column += tileColumns) {
          run(
            a.at * 4 + from * step,
            a.stride * 4,
            step,
            (b.at + from * b.stride + column) * 4,
            b.stride * 4,
            (c.at + column) * 4,
            c.stride * 4,
            steps,
            Math.ceil(m / tileRows),
          );
        }
      }
    },
  };
}

export function wholeRows(rows: number): number {
  return Math.ceil(rows / tileRows) * tileRows;
}

/** Whole tiles, and no multiple of a page: columns of one place in all rows would share few lines of the cache. */
export function wholeColumns(columns: number): number {
  const whole = Math.ceil(columns / tileColumns) * tileColumns;
  return whole % 256 === 0 ? whole + tileColumns : whole;
}
