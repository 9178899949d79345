/** Inputs made up for a model, where a person gives none: what a model of this kind could get, without its meaning. */
import type { Port, Tensors } from "../../engines/onnx/session.ts";
import { HearthError } from "../../error.ts";
import type { OnnxGraph } from "../../formats/onnx/types.ts";
import type { Tensor } from "../../formats/tensor.ts";
import { isNumberType } from "../../formats/tensor.ts";
import { convert } from "./samples-tensor.ts";

export interface GenerateOptions {
  readonly count: number;
  readonly seed?: number;
}

/** Throws `unsupported_capability` for inputs that cannot be made up. */
export function generateFeeds(
  graph: OnnxGraph,
  ports: readonly Port[],
  { count, seed = 1 }: GenerateOptions,
): Tensors[] {
  const random = uniform(seed);
  return Array.from({ length: count }, (_, index) => {
    const sizes = new Map<string, number>();
    return Object.fromEntries(
      ports.map((port) => [port.name, generate(port, { random, sizes, rows: rowsOf(graph, port.name), index })]),
    );
  });
}

interface Generating {
  readonly random: () => number;
  /** Of the dimensions that have names: the same in all inputs. */
  readonly sizes: Map<string, number>;
  /** Of the table that the input chooses from. */
  readonly rows: number | undefined;
  readonly index: number;
}

function generate({ name, type, shape }: Port, { random, sizes, rows, index }: Generating): Tensor {
  if (type === undefined || !isNumberType(type)) {
    throw new HearthError("unsupported_capability", `The input ${name} has ${type ?? "no"} elements.`, {
      hint: "Give inputs of your own in a file: --inputs FILE.npz.",
    });
  }
  const own = shape.map((size, axis) => {
    if (typeof size === "number") return size;
    const key = size ?? `${axis}`;
    const found = sizes.get(key) ?? sizeFor(axis, shape.length, index);
    sizes.set(key, found);
    return found;
  });
  const length = own.reduce((product, size) => product * size, 1);
  const data = new Float64Array(length);
  const isFloat = type.startsWith("float");
  for (let at = 0; at < length; at++) data[at] = isFloat ? normal(random) : integer(name, { random, rows, at, own });
  return convert({ type: "float64", shape: own, data }, type);
}

/** One sample at a time; texts of different lengths; pictures of a size that strides divide. */
function sizeFor(axis: number, rank: number, index: number): number {
  if (axis === 0) return 1;
  return rank === 4 ? 224 : 8 + ((index * 7) % 32);
}

interface Choosing {
  readonly random: () => number;
  readonly rows: number | undefined;
  readonly at: number;
  readonly own: readonly number[];
}

function integer(name: string, { random, rows, at, own }: Choosing): number {
  if (/mask/i.test(name)) return 1;
  if (/position/i.test(name)) return at % (own.at(-1) ?? 1);
  if (/type/i.test(name)) return 0;
  return Math.floor(random() * (rows ?? 2));
}

/** How many rows there are to choose from, where the input goes straight to a table. */
function rowsOf({ nodes, initializers }: OnnxGraph, name: string): number | undefined {
  const user = nodes.find(({ operator, inputs }) => operator === "Gather" && inputs[1] === name);
  return user && initializers.get(user.inputs[0] ?? "")?.shape[0];
}

/** Standard normal, by Box and Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Mulberry32. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
