/** NumPy's arrays. Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
import { HearthError } from "../../error.ts";
import { printable } from "../gguf/malformed.ts";
import { numberTypes } from "../tensor.ts";
import type { NumberType, Tensor } from "../tensor.ts";

const types: Readonly<Record<string, NumberType>> = {
  "<f4": "float32",
  "<f8": "float64",
  "<f2": "float16",
  "<i8": "int64",
  "<i4": "int32",
  "<i2": "int16",
  "|i1": "int8",
  "<u8": "uint64",
  "<u4": "uint32",
  "<u2": "uint16",
  "|u1": "uint8",
  "|b1": "bool",
};
const mostHeaderBytes = 64 * 1024;
const mostDimensions = 32;

/** The array of a `.npy` file. Throws `bad_request` for anything else, and for arrays of objects, which can carry programs. */
export function parseNpy(bytes: Uint8Array, name: string): Tensor {
  const { header, dataOffset } = readHeader(bytes, name);
  const descriptor = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const sizes = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (descriptor === undefined || order === undefined || sizes === undefined) {
    throw fault(name, `has a header that is not understood: ${printable(header.trim())}`);
  }
  const type = types[descriptor];
  if (!type) throw fault(name, `has elements of the type "${printable(descriptor)}"`);
  if (order === "True" && sizes.split(",").filter((size) => size.trim() !== "").length > 1) {
    throw fault(name, "has its columns one after the other; save it with numpy.ascontiguousarray");
  }
  const shape = readShape(sizes, name);
  const create = numberTypes[type];
  const length = shape.reduce((product, size) => product * size, create.BYTES_PER_ELEMENT);
  if (length !== bytes.length - dataOffset) {
    throw fault(name, `has ${bytes.length - dataOffset} bytes of elements; its shape and type make ${length}`);
  }
  // A copy: elements begin at a multiple of their size.
  return { type, shape, data: new create(new Uint8Array(bytes.subarray(dataOffset)).buffer) };
}

function readHeader(bytes: Uint8Array, name: string) {
  const magic = String.fromCharCode(...bytes.subarray(0, 6));
  const major = bytes[6] ?? 0;
  if (magic !== "\u0093NUMPY" || major < 1 || major > 3) throw fault(name, "is no NumPy array");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = major === 1 ? 10 : 12;
  if (bytes.length < start) throw fault(name, "ends inside its header");
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > mostHeaderBytes || start + length > bytes.length) throw fault(name, `has a header of ${length} bytes`);
  const header = new TextDecoder().decode(bytes.subarray(start, start + length));
  return { header, dataOffset: start + length };
}

function readShape(text: string, name: string): readonly number[] {
  const shape = text
    .split(",")
    .filter((size) => size.trim() !== "")
    .map(Number);
  if (shape.length > mostDimensions || shape.some((size) => !Number.isSafeInteger(size))) {
    throw fault(name, "has a shape that is none");
  }
  return shape;
}

export function fault(name: string, problem: string): HearthError {
  return new HearthError("bad_request", `${name} ${problem}.`, {
    hint: "Save numbers with numpy.save or numpy.savez.",
    details: { file: name },
  });
}
