import { ggmlType, tensorBytes } from "./ggml.ts";
import type { GgmlTypeName } from "./ggml.ts";
import { valueBytes, valueTypes } from "./types.ts";
import type { GgufNumberType, GgufStrings, GgufValueType } from "./types.ts";

type SmallNumberType = Exclude<GgufNumberType, "uint64" | "int64">;

/** A value with the type it has in the file. */
export type GgufTypedValue =
  | { readonly type: SmallNumberType; readonly value: number }
  | { readonly type: "uint64" | "int64"; readonly value: bigint }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "array"; readonly of: "string"; readonly value: Iterable<string> & { readonly length: number } }
  | { readonly type: "array"; readonly of: SmallNumberType; readonly value: ArrayLike<number> }
  | { readonly type: "array"; readonly of: "uint64" | "int64"; readonly value: ArrayLike<bigint> }
  | { readonly type: "array"; readonly of: "bool"; readonly value: ArrayLike<boolean> };

/** The bytes of a tensor, at once or piece by piece. */
export type GgufTensorData = Uint8Array | (() => AsyncIterable<Uint8Array>);

export interface GgufTensorContent {
  readonly name: string;
  readonly type: GgmlTypeName;
  readonly shape: readonly number[];
  readonly data: GgufTensorData;
}

export interface GgufContent {
  readonly metadata: Readonly<Record<string, GgufTypedValue>>;
  readonly tensors: readonly GgufTensorContent[];
}

export interface GgufHeader {
  /** Magic, metadata and tensor table, padded to the start of the data. */
  readonly bytes: Uint8Array;
  readonly alignment: number;
  /** Size of each tensor's data, without padding. */
  readonly tensorBytes: readonly number[];
}

/** The header of a GGUF version 3 file. `general.alignment` in the metadata changes the alignment from 32. */
export function encodeHeader(content: GgufContent): GgufHeader {
  const given = content.metadata["general.alignment"];
  const alignment = given?.type === "uint32" ? given.value : 32;
  const out = new Output();
  out.bytes(new TextEncoder().encode("GGUF"));
  out.number("uint32", 3);
  const entries = Object.entries(content.metadata);
  out.big("uint64", BigInt(content.tensors.length));
  out.big("uint64", BigInt(entries.length));
  for (const [key, value] of entries) {
    out.string(key);
    writeValue(out, value);
  }
  const sizes = writeTensorTable(out, content.tensors, alignment);
  out.bytes(new Uint8Array((alignment - (out.length % alignment)) % alignment));
  return { bytes: out.toBytes(), alignment, tensorBytes: sizes };
}

function writeTensorTable(out: Output, tensors: readonly GgufTensorContent[], alignment: number): number[] {
  let offset = 0;
  return tensors.map((tensor) => {
    const type = ggmlType(tensor.type);
    const size = tensorBytes(type, tensor.shape);
    out.string(tensor.name);
    out.number("uint32", tensor.shape.length);
    for (const dimension of tensor.shape) out.big("uint64", BigInt(dimension));
    out.number("uint32", type.id);
    out.big("uint64", BigInt(offset));
    offset = Math.ceil((offset + size) / alignment) * alignment;
    return size;
  });
}

function writeValue(out: Output, value: GgufTypedValue): void {
  out.number("uint32", valueTypes.indexOf(value.type));
  if (value.type !== "array") {
    writeScalar(out, value.type, value.value);
    return;
  }
  out.number("uint32", valueTypes.indexOf(value.of));
  out.big("uint64", BigInt(value.value.length));
  if ("bytes" in value.value) {
    // Tokens need not be UTF-8: they go as they came.
    const strings = value.value as GgufStrings;
    if (strings.encoded) return out.bytes(strings.encoded);
    for (let index = 0; index < strings.length; index++) out.text(strings.bytes(index));
    return;
  }
  const values: Iterable<unknown> = Array.isArray(value.value)
    ? value.value
    : Array.from(value.value as ArrayLike<unknown>);
  for (const element of values) writeScalar(out, value.of, element);
}

function writeScalar(out: Output, type: Exclude<GgufValueType, "array">, value: unknown): void {
  if (type === "string") out.string(String(value));
  else if (type === "bool") out.number("uint8", value ? 1 : 0);
  else if (type === "uint64" || type === "int64") out.big(type, value as bigint);
  else out.number(type, Number(value));
}

/** Bytes that grow. */
class Output {
  private buffer = new Uint8Array(4096);
  private view = new DataView(this.buffer.buffer);
  length = 0;

  toBytes(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }

  bytes(bytes: Uint8Array): void {
    const at = this.grow(bytes.length);
    this.buffer.set(bytes, at);
  }

  string(text: string): void {
    this.text(new TextEncoder().encode(text));
  }

  text(bytes: Uint8Array): void {
    this.big("uint64", BigInt(bytes.length));
    this.bytes(bytes);
  }

  big(type: "uint64" | "int64", value: bigint): void {
    const at = this.grow(8);
    if (type === "uint64") this.view.setBigUint64(at, value, true);
    else this.view.setBigInt64(at, value, true);
  }

  number(type: SmallNumberType, value: number): void {
    const at = this.grow(valueBytes[type]);
    switch (type) {
      case "uint8":
        return this.view.setUint8(at, value);
      case "int8":
        return this.view.setInt8(at, value);
      case "uint16":
        return this.view.setUint16(at, value, true);
      case "int16":
        return this.view.setInt16(at, value, true);
      case "uint32":
        return this.view.setUint32(at, value, true);
      case "int32":
        return this.view.setInt32(at, value, true);
      case "float32":
        return this.view.setFloat32(at, value, true);
      case "float64":
        return this.view.setFloat64(at, value, true);
    }
  }

  /** Makes room for more bytes and returns where they go. */
  private grow(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.buffer.length) {
      const larger = new Uint8Array(Math.max(this.length, this.buffer.length * 2));
      larger.set(this.buffer);
      this.buffer = larger;
      this.view = new DataView(larger.buffer);
    }
    return at;
  }
}
