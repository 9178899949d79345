/** Which kernels bring weights into a type. */
import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";
import type { FunctionCode } from "../../kernels/wasm/code.ts";
import { encodeModule } from "../../kernels/wasm/module.ts";
import { adjustRange, adjustScale, rangeAdjustName, scaleAdjustName } from "../../kernels/wasm/quantize/adjust.ts";
import type { CodeKind } from "../../kernels/wasm/quantize/codes.ts";
import { chooseCodes, codesName } from "../../kernels/wasm/quantize/codes.ts";
import { fitRange, rangeName } from "../../kernels/wasm/quantize/fit-range.ts";
import { fitScale, scaleName } from "../../kernels/wasm/quantize/fit-scale.ts";
import { findBeyond, narrowHalves, widenBrains, widenHalves } from "../../kernels/wasm/quantize/floats.ts";
import { atLevel, detectLevel } from "../../kernels/wasm/simd.ts";
import type { Adjust, Fit, QuantizedType } from "./recipe.ts";
import { recipes } from "./recipes.ts";

/** A kernel by its name, and how its code is written. */
export type KernelWriter = readonly [name: string, write: () => FunctionCode];

export const widenKernels: Readonly<Partial<Record<GgmlTypeName, KernelWriter>>> = {
  F16: ["widen-halves", widenHalves],
  BF16: ["widen-brains", widenBrains],
};
export const beyondKernel: KernelWriter = ["find-beyond", findBeyond];
export const narrowKernel: KernelWriter = ["narrow-halves", narrowHalves];

export function fitKernel(fit: Fit): KernelWriter {
  return fit.kind === "range" ? [rangeName(fit), () => fitRange(fit)] : [scaleName(fit), () => fitScale(fit)];
}

export function adjustKernel(adjust: Adjust): KernelWriter {
  if (adjust.kind === "range") return [rangeAdjustName(adjust), () => adjustRange(adjust)];
  return [scaleAdjustName(adjust), () => adjustScale(adjust)];
}

export function codesKernel(kind: CodeKind): KernelWriter {
  return [codesName(kind), () => chooseCodes(kind)];
}

export interface KernelNeeds {
  readonly from: readonly GgmlTypeName[];
  readonly to: readonly QuantizedType[];
  /** Whether some weights have an importance, and whether some have none. */
  readonly weighted: boolean;
  readonly unweighted: boolean;
}

/** A module with all kernels for such work, for threads to share: each would compile its own otherwise. */
export function quantizeModule({ from, to, weighted, unweighted }: KernelNeeds): Uint8Array<ArrayBuffer> {
  const writers = new Map<string, () => FunctionCode>([beyondKernel, narrowKernel]);
  for (const type of from) {
    const widen = widenKernels[type];
    if (widen) writers.set(...widen);
  }
  for (const type of to) {
    const { fit, adjust, codes } = recipes[type];
    writers.set(...codesKernel(codes));
    for (const weighing of [...(weighted ? (["importance"] as const) : []), ...(unweighted ? [undefined] : [])]) {
      writers.set(...fitKernel(fit(weighing)));
      if (adjust) writers.set(...adjustKernel(adjust(weighing)));
    }
  }
  return writeModule([...writers.values()]);
}

/** For what this platform can do. */
export function writeModule(writers: readonly (() => FunctionCode)[]): Uint8Array<ArrayBuffer> {
  const level = detectLevel() ?? "plain";
  return encodeModule({ memories: 1, functions: atLevel(level, () => writers.map((write) => write())) });
}
