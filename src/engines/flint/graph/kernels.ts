/** The kernels that a plan needs, compiled into one module that all workers share. */
import { quantizeRow, quantizeSuperRow } from "../kernels/wasm/activations.ts";
import type { FunctionCode } from "../kernels/wasm/code.ts";
import { floatMatmul } from "../kernels/wasm/matmul-float.ts";
import { matmul } from "../kernels/wasm/matmul.ts";
import { superMatmul } from "../kernels/wasm/matmul-super.ts";
import { encodeModule } from "../kernels/wasm/module.ts";
import type { Layout } from "../weights/layout.ts";
import type { Plan } from "./plan.ts";
import { rowKernels } from "./rows.ts";
import { attendKernels } from "./attend.ts";

/** Row groups that are read side by side for a number of activation rows: what registers have room for. */
export const streamsFor: Readonly<Record<number, number>> = { 1: 4, 2: 2, 3: 1, 4: 1 };

/** Bytes of a WebAssembly module with all kernels. */
export function kernelModule(plan: Plan): Uint8Array<ArrayBuffer> {
  const functions = new Map<string, FunctionCode>();
  const add = (code: FunctionCode): void => void functions.set(code.name, code);
  add(quantizeRow());
  add(quantizeSuperRow());
  for (const stage of plan.stages) {
    if (stage.kind === "matmul") {
      for (const { weight } of stage.ops) {
        const placed = plan.matrices[weight.name];
        if (placed) for (const code of matmulKernels(placed.layout, placed.k)) add(code);
      }
    }
  }
  for (const code of rowKernels(plan)) add(code);
  for (const code of attendKernels(plan)) add(code);
  return encodeModule({ memories: 1, functions: [...functions.values()] });
}

function matmulKernels(layout: Layout, k: number): FunctionCode[] {
  return [1, 2, 3, 4].flatMap((tokens) => {
    if (layout.kind === "float") return [floatMatmul({ layout, k, tokens })];
    const most = streamsFor[tokens] ?? 1;
    return [...new Set([1, most])].map((streams) =>
      layout.kind === "super"
        ? superMatmul({ layout, k, tokens, streams })
        : matmul({ layout, k, tokens, streams }),
    );
  });
}
