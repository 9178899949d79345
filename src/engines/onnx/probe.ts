/** One input for a model that nobody knows, always the same, so that two devices can be compared. */
import { elementCount } from "../../formats/onnx/types.ts";
import type { ElementType } from "../../formats/onnx/types.ts";
import { isNumberType, numberTypes } from "../../formats/tensor.ts";
import type { Tensor } from "../../formats/tensor.ts";
import { floatToHalf } from "../../util/half.ts";
import type { Port, Tensors } from "./session.ts";

/** `free`: size of the dimensions that are not fixed; the first of them, that of the batch, is 1. */
export function probeFeeds(inputs: readonly Port[], free: number): Tensors | undefined {
  const feeds: Record<string, Tensor> = {};
  for (const { name, type, shape } of inputs) {
    if (type === undefined || !isNumberType(type)) return undefined;
    const sizes = shape.map((size, index) => (typeof size === "number" && size >= 0 ? size : index === 0 ? 1 : free));
    const count = elementCount(sizes);
    if (count > mostElements) return undefined;
    const data = new numberTypes[type](count);
    // Each type of array takes what `value` gives for its type.
    const elements = data as { [index: number]: number | bigint };
    for (let index = 0; index < count; index++) elements[index] = value(name, type, index);
    feeds[name] = { type, shape: sizes, data };
  }
  return feeds;
}

const mostElements = 2 ** 24;

function value(name: string, type: ElementType, index: number): number | bigint {
  // Masks and switches are on, all tokens are of one sentence, rates are those of speech, ids are small.
  const whole = /type/.test(name) ? 0 : /mask/.test(name) ? 1 : name === "sr" ? 16_000 : 1 + (index % 50);
  if (type === "int64" || type === "uint64") return BigInt(whole);
  if (type === "bool") return 1;
  const wave = Math.sin(index * 0.7) * 0.5 + Math.sin(index * 0.13) * 0.3;
  if (type === "float16") return floatToHalf(wave);
  return type === "float32" || type === "float64" ? wave : whole;
}
