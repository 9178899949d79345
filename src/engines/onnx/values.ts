import { HearthError } from "../../error.ts";
import type { Tensor } from "../../formats/tensor.ts";
import { halves } from "../../util/half.ts";

export interface Floats {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export function toFloats(tensor: Tensor): Floats {
  return { shape: tensor.shape, data: floatsOf(tensor) };
}

/** Elements as floats of 32 bits, whatever the model gives. */
function floatsOf({ type, data }: Tensor): Float32Array {
  if (data instanceof Float32Array) return data;
  if (type === "float16") return Float32Array.from(data as Uint16Array, (bits) => halves[bits] ?? 0);
  return Float32Array.from(data as ArrayLike<number | bigint>, Number);
}

export function softmax(scores: ArrayLike<number>): number[] {
  const most = Math.max(...Array.from(scores));
  const powers = Array.from(scores, (score) => Math.exp(score - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

export function sigmoid(score: number): number {
  return 1 / (1 + Math.exp(-score));
}

/** The output of that name; throws `model_unsupported`. */
export function output(outputs: Readonly<Record<string, Tensor>>, name: string): Floats {
  const found = outputs[name];
  if (found) return toFloats(found);
  const has = Object.keys(outputs).join(", ");
  throw new HearthError("model_unsupported", `The model has no output ${name}; it has ${has}.`);
}
