/** The kernels that a plan needs, compiled into one module that all workers share. */
import { quantizeRow, quantizeSuperRow } from "../kernels/wasm/activations.ts";
import type { FunctionCode } from "../kernels/wasm/code.ts";
import { floatMatmul, floatMatmulName } from "../kernels/wasm/matmul-float.ts";
import { matmul, matmulName } from "../kernels/wasm/matmul.ts";
import { superMatmul, superMatmulName } from "../kernels/wasm/matmul-super.ts";
import { encodeModule } from "../kernels/wasm/module.ts";
import type { SimdLevel } from "../kernels/wasm/simd.ts";
import { atLevel } from "../kernels/wasm/simd.ts";
import type { Layout } from "../weights/layout.ts";
import { layoutKey } from "../weights/layout.ts";
import type { Plan } from "./plan.ts";
import { rowKernels } from "./rows.ts";
import type { KernelWriters } from "./runner.ts";
import { streamsFor } from "./runner.ts";
import { attendKernels } from "./attend.ts";
import { wideWriters } from "./wide.ts";

/** Bytes of a WebAssembly module with all kernels, written for a level of instructions. */
export function kernelModule(plan: Plan, level: SimdLevel): Uint8Array<ArrayBuffer> {
  return atLevel(level, () => encodeModule({ memories: 1, functions: kernelsOf(plan) }));
}

/** Each kernel once: layers are alike. */
function kernelsOf(plan: Plan): FunctionCode[] {
  const writers = new Map<string, () => FunctionCode>([
    ["quantize", quantizeRow],
    ["quantize-super", quantizeSuperRow],
    ...matmulWriters(plan),
    ...rowKernels(plan),
    ...attendKernels(plan),
  ]);
  return [...writers.values()].map((write) => write());
}

function matmulWriters(plan: Plan): KernelWriters {
  const { stages, matrices } = plan;
  const weights = stages.flatMap((stage) =>
    stage.kind === "matmul" ? stage.ops.map(({ weight }) => weight.name) : [],
  );
  const shapes = new Map<string, { readonly layout: Layout; readonly k: number }>();
  for (const name of weights) {
    const placed = matrices[name];
    if (placed) shapes.set(`${layoutKey(placed.layout)} ${placed.k}`, placed);
  }
  return [...shapes.values()].flatMap(({ layout, k }) => [
    ...[1, 2, 3, 4].flatMap((tokens) => writersOf(layout, k, tokens)),
    ...wideWriters({ layout, k }, plan),
  ]);
}

function writersOf(layout: Layout, k: number, tokens: number): KernelWriters {
  if (layout.kind === "float")
    return [[floatMatmulName({ layout, k, tokens }), () => floatMatmul({ layout, k, tokens })]];
  return [...new Set([1, streamsFor(layout, k, tokens)])].map((streams) =>
    layout.kind === "super"
      ? [superMatmulName({ layout, k, tokens, streams }), () => superMatmul({ layout, k, tokens, streams })]
      : [matmulName({ layout, k, tokens, streams }), () => matmul({ layout, k, tokens, streams })],
  );
}
