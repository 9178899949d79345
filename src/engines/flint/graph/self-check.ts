/**
 * Kernels are compiled on this machine, by a compiler with an experimental switch. Before they are trusted, each matrix
 * kernel multiplies one group of rows of made-up weights, and the result is compared with plain arithmetic.
 */
import { HearthError } from "../../../error.ts";
import { constantsEnd, writeConstants } from "../kernels/wasm/constants.ts";
import { wideGroups } from "../kernels/wasm/matmul-wide.ts";
import { mostPages } from "../kernels/wasm/module.ts";
import type { Layout } from "../weights/layout.ts";
import {
  activationBytes,
  activationRecord,
  floatRowBytes,
  layoutKey,
  rowGroup,
  rowGroupBytes,
} from "../weights/layout.ts";
import { superActivation, superActivationBytes, superWidth } from "../weights/layout.ts";
import { readRow } from "../weights/unpack.ts";
import { kernelsFor } from "./matrices.ts";
import type { Kernels } from "./runner.ts";
import type { Plan } from "./plan.ts";
import { findWide, runWide } from "./wide.ts";

const pageBytes = 65_536;
const mostTokens = 4;
const tolerance = 1e-3;

/** Throws `engine_failed` for a kernel whose results are wrong. */
export function checkKernels(plan: Plan, module: WebAssembly.Module): void {
  const { matrices, stages } = plan;
  const multiplied = stages.flatMap((stage) =>
    stage.kind === "matmul" ? stage.ops.map(({ weight }) => weight.name) : [],
  );
  const shapes = new Map<string, { readonly layout: Layout; readonly k: number }>();
  for (const name of multiplied) {
    const matrix = matrices[name];
    if (matrix) shapes.set(`${layoutKey(matrix.layout)} ${matrix.k}`, matrix);
  }
  for (const shape of shapes.values()) checkShape(shape, module, plan);
}

interface Shape {
  readonly layout: Layout;
  readonly k: number;
}

function checkShape(shape: Shape, module: WebAssembly.Module, plan: Plan): void {
  const { layout, k } = shape;
  const groups = 4;
  const w = constantsEnd;
  const x = Math.ceil((w + groups * rowGroupBytes(layout, k)) / 64) * 64;
  const q = x + mostTokens * floatRowBytes(k);
  const y = q + mostTokens * strideOf(shape);
  const scratch = y + mostTokens * groups * rowGroup * 4;
  const bytes = scratch + groups * rowGroup * k * 4;
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes), maximum: mostPages, shared: true });
  writeConstants(memory);
  const kernels = new WebAssembly.Instance(module, { memory: { "0": memory } }).exports as Kernels;
  const view = {
    bytes: new Uint8Array(memory.buffer),
    shorts: new Uint16Array(memory.buffer),
    floats: new Float32Array(memory.buffer),
  };
  fill(view, { w, x, q });
  quantize(shape, kernels, { x, q });
  const rows = Array.from({ length: groups * rowGroup }, (_, row) => {
    const values = new Float32Array(k);
    readRow(view, { layout, address: w, k, row }, values);
    return values;
  });
  const inputs = Array.from({ length: mostTokens }, (_, token) => readInput(shape, view, { x, q, token }));
  const wide = findWide(shape, plan, kernels);
  if (wide) {
    const work = { layout, k, scratch, w, groups, x, xStride: floatRowBytes(k), y, yStride: rows.length * 4 };
    runWide({ ...wide, most: groups / wideGroups }, { ...work, rows: mostTokens });
    compare(view.floats.subarray(y / 4), { rows, inputs }, layoutKey(layout));
  }
  for (let tokens = 1; tokens <= mostTokens; tokens++) {
    const [streams, kernel, rest] = kernelsFor(shape, tokens, kernels);
    for (const [run, count] of [
      [kernel, groups / streams],
      [rest, groups],
    ] as const) {
      run(w, layout.kind === "float" ? x : q, y, rows.length * 4, count);
      compare(view.floats.subarray(y / 4), { rows, inputs: inputs.slice(0, tokens) }, layoutKey(layout));
    }
  }
}

function strideOf({ layout, k }: Shape): number {
  if (layout.kind === "float") return floatRowBytes(k);
  return layout.kind === "super" ? superActivationBytes(k) : activationBytes(k);
}

interface Places {
  readonly w: number;
  readonly x: number;
  readonly q: number;
}

/** Bytes whose 16-bit and 32-bit floats are small and finite, and activations from -1 to 1. */
function fill(
  { bytes, floats }: { readonly bytes: Uint8Array; readonly floats: Float32Array },
  { w, x, q }: Places,
): void {
  let state = 12_345;
  const next = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff) >>> 8;
  for (let index = w; index < x; index++) bytes[index] = next() & 0x3b;
  for (let index = x / 4; index < q / 4; index++) floats[index] = (next() % 2001) / 1000 - 1;
}

function quantize(shape: Shape, kernels: Kernels, { x, q }: Omit<Places, "w">): void {
  const { layout, k } = shape;
  if (layout.kind === "float") return;
  const run = kernels[layout.kind === "super" ? "quantize-super" : "quantize"];
  for (let token = 0; token < mostTokens; token++) run?.(x + token * floatRowBytes(k), q + token * strideOf(shape), k);
}

interface InputPlace {
  readonly x: number;
  readonly q: number;
  readonly token: number;
}

/** What the kernel multiplies with, as numbers. */
function readInput(
  shape: Shape,
  { bytes, floats }: { readonly bytes: Uint8Array; readonly floats: Float32Array },
  { x, q, token }: InputPlace,
): Float32Array {
  const { layout, k } = shape;
  const from = (x + token * floatRowBytes(k)) / 4;
  if (layout.kind === "float") return floats.slice(from, from + k);
  const start = q + token * strideOf(shape);
  const [width, record] = layout.kind === "super" ? [superWidth, superActivation] : [32, activationRecord];
  return Float32Array.from({ length: k }, (_, index) => {
    const scale = floats[(start + k + Math.floor(index / width) * record.bytes) / 4 + record.scale / 4] ?? 0;
    return (((bytes[start + index] ?? 0) << 24) >> 24) * scale;
  });
}

interface Product {
  readonly rows: readonly Float32Array[];
  readonly inputs: readonly Float32Array[];
}

function compare(results: Float32Array, { rows, inputs }: Product, name: string): void {
  inputs.forEach((input, token) => {
    rows.forEach((row, index) => {
      let sum = 0;
      let size = 0;
      for (let at = 0; at < row.length; at++) {
        const product = (row[at] ?? 0) * (input[at] ?? 0);
        sum += product;
        size += Math.abs(product);
      }
      const found = results[token * rows.length + index] ?? NaN;
      if (Math.abs(found - sum) <= tolerance * size) return;
      throw new HearthError("engine_failed", `A kernel of flint for ${name} gives ${found} where ${sum} is right.`, {
        hint: "Report this with the processor's name, and run the model with `--engine llama` meanwhile.",
        details: { kernel: name },
      });
    });
  });
}
