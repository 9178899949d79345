/** Tensors for a model of which nothing is known but its signature. */
import type { Tensor, TensorData, TensorInfo, TensorType } from "../../spec/media.ts";

export type Tensors = Readonly<Record<string, Tensor>>;

/** Most elements of one input: a signature is a file's claim. */
const mostElements = 2 ** 26;

/** Sizes that exporters leave free, by the names that they give them: those of Whisper's log-mel spectrograms. */
const namedSizes: Readonly<Record<string, number>> = {
  feature_size: 80,
  num_mel_bins: 80,
  encoder_sequence_length: 3000,
};

/** Height and width of a picture of any size: most models want a multiple of 32. */
const pictureSide = 224;

/** What is free is 1, but for the sides of pictures and what has a known name. */
function sizesOf({ shape }: TensorInfo): number[] {
  const isPicture = shape.length === 4 && (shape[1] === 3 || shape[3] === 3);
  return shape.map((size, index) => {
    if (typeof size === "number" && size > 0) return size;
    return namedSizes[size] ?? (isPicture && index > 0 ? pictureSide : 1);
  });
}

/** One tensor for each input. Fractions are random from 0 to 1, whole numbers are 1. */
export function makeTensors(inputs: readonly TensorInfo[], random: () => number): Tensors {
  return Object.fromEntries(
    inputs.map((input) => {
      const { name, type } = input;
      const sizes = sizesOf(input);
      const count = sizes.reduce((product, size) => product * size, 1);
      if (count > mostElements) throw new RangeError(`The input "${name}" has ${count} elements.`);
      return [name, { type, shape: sizes, data: makeData(type, count, random) }] as const;
    }),
  );
}

/** Halves as bits: 0.5. */
const half = 0x3800;

function makeData(type: TensorType, count: number, random: () => number): TensorData {
  switch (type) {
    case "float32":
      return Float32Array.from({ length: count }, random);
    case "float64":
      return Float64Array.from({ length: count }, random);
    case "float16":
      return new Uint16Array(count).fill(half);
    case "int8":
      return new Int8Array(count).fill(1);
    case "uint8":
    case "bool":
      return new Uint8Array(count).fill(1);
    case "int16":
      return new Int16Array(count).fill(1);
    case "uint16":
      return new Uint16Array(count).fill(1);
    case "int32":
      return new Int32Array(count).fill(1);
    case "uint32":
      return new Uint32Array(count).fill(1);
    case "int64":
      return new BigInt64Array(count).fill(1n);
    case "uint64":
      return new BigUint64Array(count).fill(1n);
    case "string":
      return Array<string>(count).fill("word");
  }
}

/** What a text encoder is given for one text, by the names that exported encoders have; undefined: it has others. */
export function textTensors(inputs: readonly TensorInfo[], ids: readonly number[]): Tensors | undefined {
  const values: Readonly<Record<string, (at: number) => number>> = {
    input_ids: (at) => ids[at] ?? 0,
    attention_mask: () => 1,
    token_type_ids: () => 0,
    position_ids: (at) => at,
  };
  const made: Record<string, Tensor> = {};
  for (const { name, type } of inputs) {
    const value = values[name];
    if (!value) return undefined;
    const numbers = ids.map((_, at) => value(at));
    const shape = [1, ids.length];
    if (type === "int32") made[name] = { type, shape, data: Int32Array.from(numbers) };
    else if (type === "int64") made[name] = { type, shape, data: BigInt64Array.from(numbers, BigInt) };
    else return undefined;
  }
  return made;
}
