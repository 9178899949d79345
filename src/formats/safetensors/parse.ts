import { HearthError } from "../../error.ts";
import { printable } from "../gguf/malformed.ts";
import { elementBits } from "./types.ts";
import type { SafetensorsFile, SafetensorsTensor, SafetensorsType } from "./types.ts";

/** The reference implementation takes no longer header either. */
export const mostHeaderBytes = 100_000_000;
const mostDimensions = 16;
const mostNameUnits = 1024;

export interface HeaderPlace {
  /** What messages call the file. */
  readonly name: string;
  readonly fileBytes: number;
}

/** Length of the JSON header, by the first 8 bytes of the file. Throws before anything of that size is allocated. */
export function headerLength(start: Uint8Array, { name, fileBytes }: HeaderPlace): number {
  if (fileBytes < 8 || start.length < 8) {
    throw fault(name, "header", `is missing: the file has ${fileBytes} bytes, and its length alone takes 8`);
  }
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(fileBytes - 8)) {
    throw fault(name, "header", `is said to have ${length} bytes, but only ${fileBytes - 8} follow`);
  }
  if (length > BigInt(mostHeaderBytes)) {
    throw fault(name, "header", `is said to have ${length} bytes; at most ${mostHeaderBytes} are allowed`);
  }
  return Number(length);
}

/**
 * Checks the JSON header: known types, sizes that follow from the shapes, data that fills the rest of the file without gap
 * or overlap, as the format wants it. Throws `model_malformed` with {field}.
 */
export function parseSafetensors(header: Uint8Array, place: HeaderPlace): SafetensorsFile {
  const { name, fileBytes } = place;
  const value = parseJson(header, name);
  const dataOffset = 8 + header.length;
  const tensors = new Map<string, SafetensorsTensor>();
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [key, entry] of Object.entries(value)) {
    if (key === "__metadata__") metadata = readMetadata(entry, name);
    else tensors.set(key, readTensor(key, entry, { name, dataOffset }));
  }
  checkRanges([...tensors.values()], { name, dataOffset, fileBytes });
  return { name, fileBytes, metadata, tensors };
}

function parseJson(header: Uint8Array, name: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(header));
  } catch (error) {
    throw fault(name, "header", "is not JSON", error);
  }
  if (!isObject(value)) throw fault(name, "header", "is no JSON object");
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readMetadata(value: unknown, name: string): ReadonlyMap<string, string> {
  const field = "__metadata__";
  if (!isObject(value)) throw fault(name, field, "is no JSON object");
  return new Map(
    Object.entries(value).map(([key, text]) => {
      if (typeof text !== "string") throw fault(name, field, "has a value that is no text");
      return [key, text] as const;
    }),
  );
}

interface DataPlace {
  readonly name: string;
  readonly dataOffset: number;
}

function readTensor(key: string, value: unknown, { name, dataOffset }: DataPlace): SafetensorsTensor {
  const fail = (problem: string): HearthError => fault(name, key, problem);
  if (key === "" || key.length > mostNameUnits) throw fail(`has a name of ${key.length} characters`);
  if (!isObject(value)) throw fail("is described by something that is no JSON object");
  const dtype = value["dtype"];
  if (typeof dtype !== "string" || !isType(dtype)) {
    throw fail(`has the type ${printable(JSON.stringify(dtype) ?? "none", 40)}, which the format does not have`);
  }
  const shape = readShape(value["shape"], fail);
  const [begin, end] = readOffsets(value["data_offsets"], fail);
  const bits = shape.reduce((product, dimension) => product * dimension, elementBits[dtype]);
  if (!Number.isSafeInteger(bits) || bits % 8 !== 0)
    throw fail(`has the shape ${shapeText(shape)}, which no file holds`);
  if (end - begin !== bits / 8) {
    throw fail(`is ${shapeText(shape)} of ${dtype}, which takes ${bits / 8} bytes, but it has ${end - begin}`);
  }
  return { name: key, dtype, shape, offset: dataOffset + begin, sizeBytes: end - begin };
}

function isType(name: string): name is SafetensorsType {
  return Object.hasOwn(elementBits, name);
}

type Fail = (problem: string) => HearthError;

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function readShape(value: unknown, fail: Fail): readonly number[] {
  if (!Array.isArray(value) || !value.every(isCount)) throw fail("has a shape that is no list of whole numbers");
  if (value.length > mostDimensions) throw fail(`has ${value.length} dimensions`);
  return value;
}

function readOffsets(value: unknown, fail: Fail): readonly [number, number] {
  const [begin, end] = Array.isArray(value) && value.length === 2 ? (value as readonly unknown[]) : [];
  if (!isCount(begin) || !isCount(end) || end < begin) throw fail("has data_offsets that are no range of bytes");
  return [begin, end];
}

export function shapeText(shape: readonly number[]): string {
  return shape.length === 0 ? "a single number" : shape.join(" × ");
}

/** The data of all tensors together is the rest of the file. */
function checkRanges(tensors: SafetensorsTensor[], { name, dataOffset, fileBytes }: DataPlace & HeaderPlace): void {
  let expected = dataOffset;
  for (const tensor of tensors.toSorted((a, b) => a.offset - b.offset || a.sizeBytes - b.sizeBytes)) {
    const { offset, sizeBytes } = tensor;
    const fail = (problem: string): HearthError => fault(name, tensor.name, problem);
    if (offset < expected) throw fail(`shares ${expected - offset} bytes with another tensor`);
    if (offset + sizeBytes > fileBytes) {
      throw fail(`ends at byte ${offset + sizeBytes}, but the file has ${fileBytes}: it is cut short`);
    }
    if (offset > expected) throw fail(`stands behind ${offset - expected} bytes that belong to no tensor`);
    expected = offset + sizeBytes;
  }
  if (expected !== fileBytes) throw fault(name, "data", `ends with ${fileBytes - expected} bytes of no tensor`);
}

function fault(name: string, field: string, problem: string, cause?: unknown): HearthError {
  return new HearthError("model_malformed", `${name}: ${printable(field)} ${problem}.`, {
    details: { field: printable(field) },
    ...(cause !== undefined && { cause }),
  });
}
