/**
 * What a model says of itself in the buffer `TFLITE_METADATA`: normalization of pictures, and names of classes in files
 * that are appended to the model as a ZIP archive. Schema: metadata_schema.fbs of tflite-support.
 */
import type { ByteSource } from "../protobuf/source.ts";
import { readAppended } from "./appended.ts";
import { FlatReader } from "./reader.ts";
import { followFrom, FlatTable } from "./table.ts";
import type { TfliteModel } from "./types.ts";

export interface TensorMetadata {
  readonly name: string;
  readonly description: string;
  /** Value = (pixel - mean) / std. */
  readonly normalization?: { readonly mean: readonly number[]; readonly std: readonly number[] };
  /** Names of classes along an axis or of the values themselves, one a line of the file. */
  readonly labels?: readonly string[];
}

export interface TfliteMetadata {
  readonly name: string;
  readonly description: string;
  readonly author: string;
  readonly license: string;
  /** Of the first subgraph, in its order. */
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

const bufferName = "TFLITE_METADATA";
const labelKinds: ReadonlySet<number> = new Set([2, 3]);
const normalizationKind = 1;

/** Undefined: it says nothing. Throws `model_malformed`. */
export function readMetadata(model: TfliteModel, source: ByteSource): TfliteMetadata | undefined {
  const range = model.buffers[model.metadata.get(bufferName) ?? -1];
  if (!range) return undefined;
  const bytes = new Uint8Array(range.length);
  source.read(range.offset, bytes);
  const inner: ByteSource = {
    sizeBytes: bytes.length,
    read: (offset, target) => target.set(bytes.subarray(offset, offset + target.length)),
  };
  const reader = new FlatReader(inner, model.name);
  reader.part = bufferName;
  const root = new FlatTable(reader, followFrom(reader, 0));
  const [subgraph] = root.tables(3);
  const labels = (file: string): readonly string[] | undefined => lines(readAppended(source, file));
  return {
    name: root.text(0),
    description: root.text(1),
    author: root.text(4),
    license: root.text(5),
    inputs: subgraph?.tables(2).map((table) => parseTensor(table, labels)) ?? [],
    outputs: subgraph?.tables(3).map((table) => parseTensor(table, labels)) ?? [],
  };
}

function parseTensor(table: FlatTable, labels: (file: string) => readonly string[] | undefined): TensorMetadata {
  const unit = table
    .tables(4)
    .find((candidate) => candidate.uint8(0) === normalizationKind)
    ?.table(1);
  const [mean, std] = [unit?.float32s(0) ?? [], unit?.float32s(1) ?? []];
  // Of several files, one for each language, the first is the one that counts.
  const file = table
    .tables(6)
    .find((candidate) => labelKinds.has(candidate.int8(2)))
    ?.text(0);
  const names = file === undefined ? undefined : labels(file);
  return {
    name: table.text(0),
    description: table.text(1),
    ...(mean.length > 0 && std.length > 0 && std.every((value) => value > 0) && { normalization: { mean, std } }),
    ...(names && { labels: names }),
  };
}

/** A list of names: one a line. */
export function lines(bytes: Uint8Array | undefined): readonly string[] | undefined {
  if (!bytes) return undefined;
  const text = new TextDecoder().decode(bytes).replace(/\r?\n$/, "");
  return text === "" ? undefined : text.split(/\r?\n/).map((line) => line.trim());
}
