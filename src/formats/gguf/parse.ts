import { HearthError } from "../../error.ts";
import { readArray } from "./arrays.ts";
import { Cursor, NeedBytes } from "./cursor.ts";
import { limits } from "./limits.ts";
import { printable } from "./malformed.ts";
import { checkRanges, readTensor } from "./tensors.ts";
import type { TensorEntry } from "./tensors.ts";
import type { GgufArray, GgufEntry, GgufFile, GgufNumberType, GgufScalar, GgufValue, GgufValueType } from "./types.ts";
import { isGgufArray, valueBytes, valueTypes } from "./types.ts";

export interface GgufParseOptions {
  /** Check arrays but leave their contents out: cheaper when only scalars and tensors matter. */
  readonly skipArrays?: boolean;
  /** What messages call the file. */
  readonly name?: string;
}

/** Parses a whole file, or at least everything that its header describes, from memory. Throws `model_malformed`. */
export function parseGguf(source: Uint8Array, options: GgufParseOptions = {}): GgufFile {
  const cursor = new Cursor(source, source.length, options.name ?? "The GGUF file");
  const step = parseHeader(cursor, options).next();
  if (!step.done) throw new HearthError("internal", `The parser asked for ${step.value} of ${source.length} bytes.`);
  return step.value;
}

/**
 * Parses as far as the bytes go, yields the number of bytes it needs from the start of the file, and goes on when
 * the cursor has been extended. Each entry is read again from its start in that case, nothing else is.
 */
export function* parseHeader(cursor: Cursor, options: GgufParseOptions): Generator<number, GgufFile> {
  const { version, tensorCount, keyCount } = yield* whole(cursor, () => readPreamble(cursor));
  const metadata = new Map<string, GgufValue>();
  const entries = new Map<string, GgufEntry>();
  for (let index = 0; index < keyCount; index++) {
    const { key, value, entry } = yield* whole(cursor, () => readEntry(cursor, index, options.skipArrays ?? false));
    if (metadata.has(key)) cursor.fail("is there twice", entry.offset);
    metadata.set(key, value);
    entries.set(key, entry);
  }
  const alignment = readAlignment(cursor, metadata, entries);
  const table: TensorEntry[] = [];
  const names = new Set<string>();
  for (let index = 0; index < tensorCount; index++) {
    const entry = yield* whole(cursor, () => readTensor(cursor, index));
    if (names.has(entry.tensor.name)) cursor.fail("is there twice", entry.entryOffset);
    names.add(entry.tensor.name);
    table.push(entry);
  }
  const dataOffset = Math.ceil(cursor.position / alignment) * alignment;
  checkRanges(cursor, table, { alignment, dataOffset });
  return {
    name: cursor.name,
    version,
    metadata,
    entries,
    tensors: table.map((entry) => entry.tensor),
    dataOffset,
    fileBytes: cursor.fileBytes,
    alignment,
    ...readSplit(cursor, metadata, entries),
  };
}

/** Runs `read`; where bytes are missing, asks for them and runs it again from the same place. */
function* whole<Value>(cursor: Cursor, read: () => Value): Generator<number, Value> {
  for (;;) {
    const start = cursor.position;
    try {
      return read();
    } catch (error) {
      if (!(error instanceof NeedBytes)) throw error;
      cursor.position = start;
      yield error.until;
    }
  }
}

interface Preamble {
  readonly version: 2 | 3;
  readonly tensorCount: number;
  readonly keyCount: number;
}

/** The least bytes of a tensor (name of 1, 1 dimension) and of a key (name of 1, value of 1). */
const tensorEntryBytes = 33;
const keyEntryBytes = 14;

function readPreamble(cursor: Cursor): Preamble {
  cursor.field = "magic";
  const magic = cursor.uint32();
  if (magic !== 0x46554747) cursor.fail(`is not "GGUF"${formerFormat(magic)}`, 0);
  cursor.field = "version";
  const version = cursor.uint32();
  if (version !== 2 && version !== 3) throw unsupportedVersion(cursor.name, version);
  cursor.field = "tensor count";
  const tensorCount = cursor.count(tensorEntryBytes, limits.tensors);
  cursor.field = "key count";
  const keyCount = cursor.count(keyEntryBytes, limits.keys);
  return { version, tensorCount, keyCount };
}

function formerFormat(magic: number): string {
  const former: Readonly<Record<number, string>> = {
    0x67676d6c: "ggml",
    0x67676d66: "ggmf",
    0x67676a74: "ggjt",
    0x67676c61: "ggla",
    0x46554746: "GGUF in another byte order",
  };
  const name = former[magic];
  return name ? `; it is the format "${name}" that GGUF replaced` : "";
}

function unsupportedVersion(name: string, version: number): HearthError {
  const hint = "Convert the model again with a current converter.";
  if (version !== 0 && (version & 0xffff) === 0) {
    return new HearthError(
      "model_unsupported",
      `${name} is a big-endian GGUF file; only little-endian ones run here.`,
      {
        hint,
        details: { field: "version", offset: 4 },
      },
    );
  }
  return new HearthError("model_unsupported", `${name} has GGUF version ${version}; versions 2 and 3 are supported.`, {
    hint,
    details: { field: "version", offset: 4 },
  });
}

interface ReadEntry {
  readonly key: string;
  readonly value: GgufValue;
  readonly entry: GgufEntry;
}

function readEntry(cursor: Cursor, index: number, skip: boolean): ReadEntry {
  const offset = cursor.position;
  cursor.field = `key ${index}`;
  const key = cursor.text(limits.keyBytes, true);
  if (key === "") cursor.fail("has no name", offset);
  if (key.includes("\0")) cursor.fail("has a name with a zero byte", offset);
  cursor.field = key;
  const type = readType(cursor);
  const value = type === "array" ? readArrayValue(cursor, skip) : readScalar(cursor, type);
  return { key, value, entry: { type, offset } };
}

function readType(cursor: Cursor): GgufValueType {
  const start = cursor.position;
  const number = cursor.uint32();
  const type = valueTypes[number];
  if (type === undefined) return cursor.fail(`has the unknown value type ${number}`, start);
  return type;
}

function readArrayValue(cursor: Cursor, skip: boolean): GgufArray {
  const start = cursor.position;
  const type = readType(cursor);
  if (type === "array") return cursor.fail("is an array of arrays", start);
  const length = cursor.count(valueBytes[type], limits.arrayElements);
  return readArray(cursor, type, length, skip);
}

const scalars: Readonly<Record<GgufNumberType, (view: DataView) => number | bigint>> = {
  uint8: (view) => view.getUint8(0),
  int8: (view) => view.getInt8(0),
  uint16: (view) => view.getUint16(0, true),
  int16: (view) => view.getInt16(0, true),
  uint32: (view) => view.getUint32(0, true),
  int32: (view) => view.getInt32(0, true),
  float32: (view) => view.getFloat32(0, true),
  float64: (view) => view.getFloat64(0, true),
  uint64: (view) => view.getBigUint64(0, true),
  int64: (view) => view.getBigInt64(0, true),
};

function readScalar(cursor: Cursor, type: Exclude<GgufValueType, "array">): GgufScalar {
  if (type === "string") return cursor.text(limits.stringBytes, false);
  if (type === "bool") return readBoolean(cursor);
  const start = cursor.take(valueBytes[type]);
  return scalars[type](new DataView(cursor.slice(start, cursor.position).buffer));
}

function readBoolean(cursor: Cursor): boolean {
  const start = cursor.position;
  const byte = cursor.uint8();
  if (byte > 1) cursor.fail(`is the byte ${byte} where a boolean must be 0 or 1`, start);
  return byte === 1;
}

type Metadata = ReadonlyMap<string, GgufValue>;
type Entries = ReadonlyMap<string, GgufEntry>;

function readAlignment(cursor: Cursor, metadata: Metadata, entries: Entries): number {
  const key = "general.alignment";
  const entry = entries.get(key);
  if (!entry) return 32;
  const value = metadata.get(key);
  cursor.field = key;
  if (entry.type !== "uint32" || typeof value !== "number") {
    return cursor.fail(`has the type ${entry.type}; it must be uint32`, entry.offset);
  }
  if (value < 8 || value > limits.alignment || (value & (value - 1)) !== 0) {
    cursor.fail(`is ${value}; it must be a power of two from 8 to ${limits.alignment}`, entry.offset);
  }
  return value;
}

function readSplit(cursor: Cursor, metadata: Metadata, entries: Entries): { splitIndex?: number; splitCount?: number } {
  const count = metadata.get("split.count");
  const index = metadata.get("split.no");
  if (count === undefined || count === 0) return {};
  cursor.field = "split.count";
  const offset = entries.get("split.count")?.offset;
  if (typeof count !== "number" || !Number.isInteger(count) || count < 0 || count > 65_535) {
    return cursor.fail(`is ${describe(count)}; it must be a number of files`, offset);
  }
  if (typeof index !== "number" || !Number.isInteger(index) || index < 0 || index >= count) {
    cursor.field = "split.no";
    return cursor.fail(
      `is ${describe(index)}, but there are ${count} parts`,
      entries.get("split.no")?.offset ?? offset,
    );
  }
  return count > 1 ? { splitIndex: index, splitCount: count } : {};
}

function describe(value: GgufValue | undefined): string {
  if (isGgufArray(value)) return `an array of ${value.length}`;
  return value === undefined ? "missing" : printable(String(value));
}
