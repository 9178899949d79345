import { printable } from "../gguf/malformed.ts";
import { wires } from "../protobuf/cursor.ts";
import { limits } from "./limits.ts";
import { safeLocation } from "./location.ts";
import type { Reading } from "./reading.ts";
import { dataBytes, elementCount, elementNames, elements } from "./types.ts";
import type { ElementType, OnnxSparseTensor, OnnxTensor, TensorData } from "./types.ts";

/** Fields of a TensorProto that hold elements, and which types they may have. */
const typedFields: ReadonlyMap<number, (type: ElementType) => boolean> = new Map([
  [4, (type) => type === "float32" || type === "complex64"],
  [5, (type) => !wide.has(type) && type !== "float32"],
  [6, (type) => type === "string"],
  [7, (type) => type === "int64"],
  [9, (type) => type !== "string"],
  [10, (type) => type === "float64" || type === "complex128"],
  [11, (type) => type === "uint64" || type === "uint32"],
]);
const wide: ReadonlySet<ElementType> = new Set([
  "string",
  "int64",
  "uint64",
  "uint32",
  "float64",
  "complex64",
  "complex128",
]);

interface Stored {
  readonly field: number;
  readonly offset: number;
  readonly length: number;
}

interface Draft {
  readonly start: number;
  readonly shape: bigint[];
  readonly strings: Uint8Array[];
  readonly external: Map<string, string>;
  name: string;
  code: number;
  isExternal: boolean;
  stored: Stored | undefined;
}

/** A TensorProto; its elements are not read. */
export function readTensor(reading: Reading, end: number): OnnxTensor {
  const draft: Draft = {
    start: reading.start,
    shape: [],
    strings: [],
    external: new Map(),
    name: "",
    code: 0,
    isExternal: false,
    stored: undefined,
  };
  while (reading.next(end)) readField(reading, draft);
  const before = reading.part;
  reading.part = draft.name === "" ? "tensor" : draft.name;
  const tensor = finish(reading, draft);
  reading.part = before;
  return tensor;
}

function readField(reading: Reading, draft: Draft): void {
  switch (reading.field) {
    case 1:
      reading.integers(draft.shape);
      break;
    case 2:
      draft.code = reading.safeInteger();
      break;
    case 3:
      reading.fail("has a part of a tensor, which is of the past");
      break;
    case 6:
      draft.strings.push(reading.bytes(limits.attributeBytes));
      break;
    case 4:
    case 5:
    case 7:
    case 9:
    case 10:
    case 11:
      store(reading, draft);
      break;
    case 8:
      draft.name = reading.label();
      break;
    case 13:
      readEntry(reading, reading.enter(), draft.external);
      break;
    case 14:
      draft.isExternal = reading.safeInteger() === 1;
      break;
  }
}

function store(reading: Reading, draft: Draft): void {
  const { field, start, end, wire } = reading;
  // An empty row says nothing; some programs write it.
  if (wire === wires.bytes && start === end && field !== 9) return;
  if (draft.stored) reading.fail("has its elements in several pieces");
  if (wire !== wires.bytes) reading.fail("has its elements one by one instead of packed");
  draft.stored = { field, offset: start, length: end - start };
}

/** A key and a value. */
export function readEntry(reading: Reading, end: number, entries: Map<string, string>): void {
  let key = "";
  let value = "";
  while (reading.next(end)) {
    if (reading.field === 1) key = reading.label();
    else if (reading.field === 2) value = reading.text(limits.documentationBytes);
  }
  entries.set(key, value);
}

function finish(reading: Reading, draft: Draft): OnnxTensor {
  const type = elementOf(draft.code);
  if (!type) return reading.fail(`has elements of the unknown type ${draft.code}`, draft.start);
  const shape = readShape(reading, draft.shape, draft.start);
  return { name: draft.name, type, shape, data: locate(reading, draft, { type, shape }) };
}

export function elementOf(code: number): ElementType | undefined {
  return elementNames.find((name) => elements[name].code === code);
}

/** Sizes of dimensions whose product stays within what can be counted. */
export function readShape(reading: Reading, sizes: readonly bigint[], at: number): readonly number[] {
  if (sizes.length > limits.dimensions) reading.fail(`has ${sizes.length} dimensions`, at);
  let product = 1;
  return sizes.map((size) => {
    if (size < 0n || size > BigInt(limits.elements)) reading.fail(`has a dimension of ${size}`, at);
    product *= Math.max(1, Number(size));
    if (product > limits.elements) reading.fail(`has more than ${limits.elements} elements`, at);
    return Number(size);
  });
}

function locate(
  reading: Reading,
  { start, strings, stored, isExternal, external }: Draft,
  { type, shape }: Pick<OnnxTensor, "type" | "shape">,
): TensorData {
  const count = elementCount(shape);
  const wanted = dataBytes(type, shape);
  if (strings.length > 0 && type !== "string") reading.fail(`has strings, but is of the type ${type}`, start);
  if (isExternal) {
    if (stored || strings.length > 0) reading.fail("has its elements here and in another file", start);
    if (type === "string") reading.fail("has strings in another file", start);
    return outside(reading, external, { start, wanted });
  }
  if (type === "string") {
    if (strings.length !== count || stored) {
      reading.fail(`has ${strings.length} strings instead of the ${count} of its shape`, start);
    }
    return { kind: "strings", values: strings };
  }
  if (!stored) {
    if (count > 0) reading.fail(`has no elements, but a shape of ${count}`, start);
    return { kind: "file", offset: start, length: 0 };
  }
  return checkStored(reading, stored, { type, wanted });
}

interface Wanted {
  readonly type: ElementType;
  readonly wanted: number;
}

function checkStored(reading: Reading, { field, offset, length }: Stored, { type, wanted }: Wanted): TensorData {
  if (!typedFields.get(field)?.(type))
    reading.fail(`has elements in the field ${field}, not meant for ${type}`, offset);
  const isVarints = field === 5 || field === 7 || field === 11;
  // How many varints there are is counted when they are decoded; each has at least a byte and at most ten.
  const units = isVarints ? wanted / Math.max(1, elements[type].bits / 8) : wanted;
  const fits = isVarints ? length >= units && length <= units * 10 : length === wanted;
  if (!fits)
    reading.fail(`has ${length} bytes of elements; its shape and type make ${isVarints ? units : wanted}`, offset);
  return { kind: isVarints ? "varints" : "file", offset, length };
}

interface Outside {
  readonly start: number;
  readonly wanted: number;
}

function outside(reading: Reading, entries: ReadonlyMap<string, string>, { start, wanted }: Outside): TensorData {
  const location = entries.get("location") ?? "";
  const problem = safeLocation(location);
  if (problem !== undefined) reading.fail(`has its elements in "${printable(location)}", ${problem}`, start);
  const read = (key: string, byDefault: number): number => {
    const text = entries.get(key);
    if (text === undefined || text === "") return byDefault;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
    if (value < 0) reading.fail(`has the ${key} "${printable(text)}" in ${printable(location)}`, start);
    return value;
  };
  const offset = read("offset", 0);
  const length = read("length", wanted);
  if (length !== wanted) {
    reading.fail(`has ${length} bytes in ${printable(location)}; its shape and type make ${wanted}`, start);
  }
  return { kind: "external", location, offset, length };
}

export function readSparseTensor(reading: Reading, end: number): OnnxSparseTensor {
  const { start } = reading;
  const shape: bigint[] = [];
  let values: OnnxTensor | undefined;
  let indices: OnnxTensor | undefined;
  while (reading.next(end)) {
    if (reading.field === 1) values = readTensor(reading, reading.enter());
    else if (reading.field === 2) indices = readTensor(reading, reading.enter());
    else if (reading.field === 3) reading.integers(shape);
  }
  if (!values || !indices) return reading.fail("is a sparse tensor without values or indices", start);
  const sizes = readShape(reading, shape, start);
  checkSparse(reading, { values, indices, shape: sizes }, start);
  return { values, indices, shape: sizes };
}

/** One index or one row of indices for each value. */
function checkSparse(reading: Reading, { values, indices, shape }: OnnxSparseTensor, start: number): void {
  const [count = 0] = values.shape;
  if (values.shape.length !== 1 || values.type === "string") reading.fail("has values that are no row", start);
  const { shape: places } = indices;
  const isRow = places.length === 1 && places[0] === count;
  const isTable = places.length === 2 && places[0] === count && places[1] === shape.length;
  if (indices.type !== "int64" || (!isRow && !isTable)) reading.fail("has indices that do not fit its values", start);
}
