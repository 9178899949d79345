/** Seeded adapters for models that tests write, and the same models with an adapter merged into their weights. */
import type { GgufContent, GgufTensorContent, GgufTypedValue } from "../../../../formats/gguf/encode.ts";
import { encodeWeights, randomNormal } from "../../../../../test/make-weights.ts";
import type { WeightType } from "../../../../../test/make-weights.ts";

export interface LoraOptions {
  readonly seed: number;
  readonly rank: number;
  /** Absent: no alpha in the header. */
  readonly alpha?: number;
  readonly type?: WeightType;
  readonly metadata?: GgufContent["metadata"];
}

/** An adapter for those tensors of the model whose names match. */
export function makeLora(model: GgufContent, names: RegExp, options: LoraOptions): GgufContent {
  const { seed, rank, alpha, type = "F32", metadata = {} } = options;
  const normal = randomNormal(seed);
  const random = (name: string, shape: readonly number[]): GgufTensorContent => {
    const count = shape.reduce((product, size) => product * size, 1);
    const values = Float32Array.from({ length: count }, () => normal() / Math.sqrt(shape[0] ?? 1));
    return { name, shape, type, data: encodeWeights(values, type) };
  };
  const text = (value: string): GgufTypedValue => ({ type: "string", value });
  return {
    metadata: {
      "general.architecture": model.metadata["general.architecture"] ?? text("llama"),
      "general.type": text("adapter"),
      "adapter.type": text("lora"),
      ...(alpha !== undefined && { "adapter.lora.alpha": { type: "float32", value: alpha } as const }),
      ...metadata,
    },
    tensors: model.tensors
      .filter(({ name }) => names.test(name))
      .flatMap(({ name, shape: [k = 1, n = 1, ...experts] }) => [
        random(`${name}.lora_a`, [k, rank, ...experts]),
        random(`${name}.lora_b`, [rank, n, ...experts]),
      ]),
  };
}

/** The model with scale · alpha / rank · B A added to its weights; all of them F32. */
export function mergeLora(model: GgufContent, lora: GgufContent, scale: number): GgufContent {
  const alpha = Number(lora.metadata["adapter.lora.alpha"]?.value ?? 0);
  const find = (name: string): GgufTensorContent | undefined => lora.tensors.find((tensor) => tensor.name === name);
  return {
    ...model,
    tensors: model.tensors.map((tensor) => {
      const [a, b] = [find(`${tensor.name}.lora_a`), find(`${tensor.name}.lora_b`)];
      if (!a || !b) return tensor;
      const rank = a.shape[1] ?? 1;
      const merged = addProduct(tensor, { a, b, rank, factor: alpha === 0 ? scale : (scale * alpha) / rank });
      return { ...tensor, data: new Uint8Array(merged.buffer) };
    }),
  };
}

interface Product {
  readonly a: GgufTensorContent;
  readonly b: GgufTensorContent;
  readonly rank: number;
  readonly factor: number;
}

function addProduct(tensor: GgufTensorContent, { a, b, rank, factor }: Product): Float32Array<ArrayBuffer> {
  const [k = 1, n = 1, experts = 1] = tensor.shape;
  const [w, low, high] = [floats(tensor), floats(a), floats(b)];
  for (let row = 0; row < n * experts; row++) {
    const expert = Math.floor(row / n);
    for (let column = 0; column < k; column++) {
      let sum = 0;
      for (let i = 0; i < rank; i++) sum += high[row * rank + i]! * low[(expert * rank + i) * k + column]!;
      w[row * k + column]! += factor * sum;
    }
  }
  return w;
}

/** A copy. */
function floats({ name, type, data }: GgufTensorContent): Float32Array<ArrayBuffer> {
  if (type !== "F32" || typeof data === "function") throw new TypeError(`${name} is not F32 in memory`);
  return new Float32Array(data.slice().buffer);
}
