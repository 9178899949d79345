import { limits } from "./limits.ts";
import { elementOf } from "./parse-tensor.ts";
import type { Reading } from "./reading.ts";
import type { Dimension, ElementType, OnnxType, OnnxValue } from "./types.ts";

/** A ValueInfoProto. */
export function readValue(reading: Reading, end: number): OnnxValue {
  let name = "";
  let type: OnnxType | undefined;
  while (reading.next(end)) {
    if (reading.field === 1) {
      name = reading.label();
      reading.part = name;
    } else if (reading.field === 2) type = readType(reading, reading.enter());
  }
  return type ? { name, type } : { name };
}

/** A TypeProto; undefined: it says nothing. */
export function readType(reading: Reading, end: number, depth = 0): OnnxType | undefined {
  if (depth > limits.typeDepth) reading.fail(`has a type within types, more than ${limits.typeDepth} deep`);
  let type: OnnxType | undefined;
  while (reading.next(end)) {
    switch (reading.field) {
      case 1:
        type = readTensorType(reading, "tensor");
        break;
      case 4:
        type = { kind: "sequence", of: readInner(reading, depth, 1).of };
        break;
      case 5:
        type = { kind: "map", ...readInner(reading, depth, 2) };
        break;
      case 7:
        type = readOpaque(reading);
        break;
      case 8:
        type = readTensorType(reading, "sparse-tensor");
        break;
      case 9:
        type = { kind: "optional", of: readInner(reading, depth, 1).of };
        break;
    }
  }
  return type;
}

function readTensorType(reading: Reading, kind: "tensor" | "sparse-tensor"): OnnxType {
  const end = reading.enter();
  let element: ElementType | undefined;
  let shape: readonly Dimension[] | undefined;
  while (reading.next(end)) {
    if (reading.field === 1) element = readElement(reading);
    else if (reading.field === 2) shape = readDimensions(reading, reading.enter());
  }
  return shape ? { kind, element, shape } : { kind, element };
}

function readElement(reading: Reading): ElementType | undefined {
  const code = reading.safeInteger();
  const type = elementOf(code);
  if (!type && code !== 0) reading.fail(`has elements of the unknown type ${code}`);
  return type;
}

function readDimensions(reading: Reading, end: number): readonly Dimension[] {
  const shape: Dimension[] = [];
  while (reading.next(end)) {
    if (reading.field !== 1) continue;
    shape.push(readDimension(reading, reading.enter()));
    if (shape.length > limits.dimensions) reading.fail(`has more than ${limits.dimensions} dimensions`);
  }
  return shape;
}

/** Negative sizes are written by some for one that is not known. */
function readDimension(reading: Reading, end: number): Dimension {
  let dimension: Dimension;
  while (reading.next(end)) {
    if (reading.field === 1) {
      const size = reading.safeInteger();
      dimension = size < 0 ? undefined : size;
    } else if (reading.field === 2) {
      const name = reading.label();
      dimension = name === "" ? undefined : name;
    }
  }
  return dimension;
}

interface Inner {
  readonly key: ElementType | undefined;
  readonly of: OnnxType;
}

/** What a sequence, an optional or a map is made of. */
function readInner(reading: Reading, depth: number, field: number): Inner {
  const { start } = reading;
  const end = reading.enter();
  let of: OnnxType | undefined;
  let key: ElementType | undefined;
  while (reading.next(end)) {
    if (reading.field === field) of = readType(reading, reading.enter(), depth + 1);
    else if (reading.field === 1) key = readElement(reading);
  }
  if (!of) return reading.fail("has a type of which the inner one is missing", start);
  return { key, of };
}

function readOpaque(reading: Reading): OnnxType {
  const end = reading.enter();
  const text = ["", ""];
  while (reading.next(end)) if (reading.field <= 2) text[reading.field - 1] = reading.label();
  return { kind: "opaque", domain: text[0] ?? "", name: text[1] ?? "" };
}
