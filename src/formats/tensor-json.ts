/** Tensors as JSON: the words of KServe's inference protocol, version 2. https://kserve.github.io/website/ */
import { HearthError } from "../error.ts";
import type { Tensor, TensorData, TensorType } from "../spec/media.ts";

const names = {
  BOOL: "bool",
  UINT8: "uint8",
  UINT16: "uint16",
  UINT32: "uint32",
  UINT64: "uint64",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  FP16: "float16",
  FP32: "float32",
  FP64: "float64",
  BYTES: "string",
} as const satisfies Readonly<Record<string, TensorType>>;

export interface JsonTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: string;
  readonly data: readonly unknown[];
}

const mostElements = 64 * 1024 ** 2;

export function datatypeOf(type: TensorType): string {
  return Object.entries(names).find(([, each]) => each === type)?.[0] ?? "BYTES";
}

/** Throws `bad_request` that names the tensor. Data may be nested as its shape is, or flat. */
export function tensorFromJson({ name, shape, datatype, data }: JsonTensor): Tensor {
  const type = Object.hasOwn(names, datatype) ? names[datatype as keyof typeof names] : undefined;
  if (!type) throw wrong(name, `has the datatype "${datatype}"; it must be one of ${Object.keys(names).join(", ")}`);
  const count = shape.reduce((product, size) => product * size, 1);
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0) || count > mostElements) {
    throw wrong(name, `has the shape [${shape.join(", ")}], which holds no tensor of at most ${mostElements} elements`);
  }
  const flat = flatten(data, count, name);
  if (flat.length !== count) throw wrong(name, `has ${flat.length} elements; its shape holds ${count}`);
  return { type, shape, data: toData(type, flat, name) };
}

/** Numbers beyond what JSON holds exactly (64-bit integers above 2^53) are written as text. */
export function tensorToJson(name: string, { type, shape, data }: Tensor): JsonTensor {
  return { name, datatype: datatypeOf(type), shape, data: toList(type, data) };
}

function flatten(data: readonly unknown[], most: number, name: string): readonly unknown[] {
  if (!data.some(Array.isArray)) return data;
  const flat: unknown[] = data.flat(Infinity);
  if (flat.length > most) throw wrong(name, `has ${flat.length} elements; its shape holds ${most}`);
  return flat;
}

function toData(type: TensorType, values: readonly unknown[], name: string): TensorData {
  if (type === "string") return values.map((value, at) => (typeof value === "string" ? value : fail(name, at, "text")));
  if (type === "int64" || type === "uint64") {
    const all = values.map((value, at) => integer(value, name, at));
    return type === "int64" ? BigInt64Array.from(all) : BigUint64Array.from(all);
  }
  if (type === "bool")
    return Uint8Array.from(values, (value, at) =>
      value === true || value === 1 ? 1 : value === false || value === 0 ? 0 : fail(name, at, "a truth value"),
    );
  const all = values.map((value, at) => (typeof value === "number" ? value : fail(name, at, "a number")));
  if (type === "float16") return new Uint16Array(Float16Array.from(all).buffer);
  return arrays[type].from(all);
}

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
} as const;

function integer(value: unknown, name: string, at: number): bigint {
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === "string" && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  return fail(name, at, "a whole number");
}

function toList(type: TensorType, data: TensorData): readonly unknown[] {
  if (type === "float16" && data instanceof Uint16Array) return [...new Float16Array(data.slice().buffer)];
  if (type === "bool") return Array.from(data as Uint8Array, (value) => value !== 0);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Array.from(data, toSafe);
  return [...(data as Iterable<unknown>)];
}

function toSafe(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function fail(name: string, at: number, what: string): never {
  throw wrong(name, `has an element, number ${at}, that is not ${what}`);
}

function wrong(name: string, problem: string): HearthError {
  return new HearthError("bad_request", `The tensor ${JSON.stringify(name)} ${problem}.`, { details: { field: name } });
}
