import { HearthError } from "../../error.ts";
import { numberTypes } from "../../formats/tensor.ts";
import type { NumberType, Tensor } from "../../formats/tensor.ts";
import { floatToHalf, halves } from "../../util/half.ts";

/** The same numbers in another type: NumPy's own are wider than those of most models. */
export function convert(tensor: Tensor, type: NumberType): Tensor {
  if (tensor.type === type) return tensor;
  const { data } = tensor;
  const numbers = Array.from(data as ArrayLike<number | bigint>, Number);
  return {
    ...tensor,
    type,
    data: fill(type, tensor.type === "float16" ? numbers.map((bits) => halves[bits]!) : numbers),
  };
}

function fill(type: NumberType, numbers: readonly number[]): Tensor["data"] {
  switch (type) {
    case "int64":
      return BigInt64Array.from(numbers, (value) => BigInt(Math.trunc(value)));
    case "uint64":
      return BigUint64Array.from(numbers, (value) => BigInt(Math.trunc(value)));
    case "float16":
      return Uint16Array.from(numbers, (value) => floatToHalf(value));
    default:
      return numberTypes[type].from(numbers);
  }
}

export interface NestedOptions {
  readonly type: NumberType;
  readonly rank: number;
  /** Where it is from. */
  readonly file: string;
}

/** Lists of lists of numbers; the first dimension may be left out. */
export function fromNested(nested: unknown, { type, rank, file }: NestedOptions): Tensor {
  const shape: number[] = [];
  for (let level = nested; Array.isArray(level); level = level[0] as unknown) shape.push(level.length);
  const numbers: number[] = [];
  flatten(nested, { shape, depth: 0, numbers, file });
  if (shape.length === rank - 1) shape.unshift(1);
  if (shape.length !== rank) {
    throw new HearthError("bad_request", `${file} has lists ${shape.length} deep for an input of ${rank} dimensions.`);
  }
  return { type, shape, data: fill(type, numbers) };
}

interface Flattening {
  readonly shape: readonly number[];
  readonly depth: number;
  readonly numbers: number[];
  readonly file: string;
}

function flatten(value: unknown, { shape, depth, numbers, file }: Flattening): void {
  if (depth === shape.length) {
    const number = typeof value === "boolean" ? Number(value) : value;
    if (typeof number !== "number") throw new HearthError("bad_request", `${file} has something that is no number.`);
    numbers.push(number);
    return;
  }
  if (!Array.isArray(value) || value.length !== shape[depth]) {
    throw new HearthError("bad_request", `${file} has lists of different lengths.`);
  }
  for (const item of value) flatten(item, { shape, depth: depth + 1, numbers, file });
}
