// Writes small TFLite files: a FlatBuffer whose parts follow the tables that name them. https://flatbuffers.dev/internals/

/** A part of a FlatBuffer. Fields of a table in the order of their numbers; undefined: left out. */
type Part =
  | { readonly table: readonly (Scalar | Part | undefined)[] }
  | { readonly text: string }
  | { readonly tables: readonly Part[] }
  | { readonly int32s: readonly number[] }
  | { readonly float32s: readonly number[] }
  | { readonly int64s: readonly number[] }
  | { readonly bytes: Uint8Array };
type Scalar = { readonly int8: number } | { readonly int32: number } | { readonly uint64: number };

const scalarBytes = { int8: 1, int32: 4, uint64: 8 } as const;

class Output {
  private bytes = new Uint8Array(1024);
  private view = new DataView(this.bytes.buffer);
  length = 0;

  /** Room for bytes at an aligned place. */
  take(count: number, alignment: number): number {
    const at = Math.ceil(this.length / alignment) * alignment;
    this.length = at + count;
    if (this.length > this.bytes.length) {
      const larger = new Uint8Array(this.length * 2);
      larger.set(this.bytes);
      [this.bytes, this.view] = [larger, new DataView(larger.buffer)];
    }
    return at;
  }
  write(at: number, size: 1 | 2 | 4 | 8, value: number): void {
    for (let index = 0; index < size; index++) {
      this.view.setUint8(at + index, Number((BigInt(value) >> BigInt(8 * index)) & 255n));
    }
  }
  float(at: number, value: number): void {
    this.view.setFloat32(at, value, true);
  }
  set(at: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, at);
  }
  result(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }
}

/** Writes a part and what it names; returns where it is. */
function put(output: Output, part: Part): number {
  if ("table" in part) return putTable(output, part.table);
  if ("text" in part) return putBytes(output, new TextEncoder().encode(`${part.text}\0`), 1);
  if ("bytes" in part) return putBytes(output, part.bytes, 0);
  if ("tables" in part) return putTables(output, part.tables);
  if ("float32s" in part) {
    const at = putVector(output, part.float32s.length, 4);
    for (const [index, value] of part.float32s.entries()) output.float(at + 4 + index * 4, value);
    return at;
  }
  const [values, size] = "int32s" in part ? ([part.int32s, 4] as const) : ([part.int64s, 8] as const);
  const at = putVector(output, values.length, size);
  for (const [index, value] of values.entries()) output.write(at + 4 + index * size, size, value);
  return at;
}

function putVector(output: Output, count: number, size: number): number {
  const at = output.take(4 + count * size, 4);
  output.write(at, 4, count);
  return at;
}

function putBytes(output: Output, bytes: Uint8Array, uncounted: number): number {
  const at = putVector(output, bytes.length - uncounted, 1);
  output.take(uncounted, 1);
  output.set(at + 4, bytes);
  return at;
}

function putTables(output: Output, parts: readonly Part[]): number {
  const at = putVector(output, parts.length, 4);
  for (const [index, part] of parts.entries()) {
    const place = at + 4 + index * 4;
    output.write(place, 4, put(output, part) - place);
  }
  return at;
}

function putTable(output: Output, fields: readonly (Scalar | Part | undefined)[]): number {
  const vtable = output.take(4 + fields.length * 2, 4);
  // Eight bytes for each field: nothing is saved, and all of them are aligned.
  const at = output.take(8 + fields.length * 8, 8);
  output.write(vtable, 2, 4 + fields.length * 2);
  output.write(vtable + 2, 2, 8 + fields.length * 8);
  output.write(at, 4, at - vtable);
  for (const [index, field] of fields.entries()) {
    if (!field) continue;
    const place = at + 8 + index * 8;
    output.write(vtable + 4 + index * 2, 2, place - at);
    const scalar = Object.entries(scalarBytes).find(([name]) => name in field);
    if (scalar) output.write(place, scalar[1], (field as Record<string, number>)[scalar[0]] ?? 0);
    else output.write(place, 4, put(output, field as Part) - place);
  }
  return at;
}

export interface TinyTensor {
  readonly name: string;
  readonly type: number;
  readonly shape: readonly number[];
  readonly buffer?: number;
  readonly scale?: number;
  readonly zeroPoint?: number;
}

export interface TinyTflite {
  readonly tensors: readonly TinyTensor[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Codes of operators, or names of custom ones. */
  readonly operators: readonly {
    readonly code: number | string;
    readonly inputs: readonly number[];
    readonly outputs: readonly number[];
    readonly options?: Uint8Array;
  }[];
  /** From 1 on: 0 is empty. */
  readonly buffers?: readonly Uint8Array[];
  readonly signature?: {
    readonly key: string;
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
  };
  /** Bytes of the buffer `TFLITE_METADATA`. */
  readonly metadata?: Uint8Array;
}

/** A file of one subgraph. Types by their numbers: 0 float32, 3 uint8, 9 int8. */
export function tfliteBytes(model: TinyTflite): Uint8Array<ArrayBuffer> {
  const { tensors, inputs, outputs, operators, signature, metadata } = model;
  const buffers = [new Uint8Array(), ...(model.buffers ?? []), ...(metadata ? [metadata] : [])];
  const ports = (names: readonly string[], indices: readonly number[]): Part => ({
    tables: names.map((name, index) => ({ table: [{ text: name }, { int32: indices[index] ?? 0 }] })),
  });
  const graph: Part = {
    table: [
      { tables: tensors.map(tensorPart) },
      { int32s: inputs },
      { int32s: outputs },
      {
        tables: operators.map((operator, index) => ({
          table: [
            { int32: index },
            { int32s: operator.inputs },
            { int32s: operator.outputs },
            undefined,
            undefined,
            operator.options && { bytes: operator.options },
          ],
        })),
      },
      { text: "main" },
    ],
  };
  const root: Part = {
    table: [
      { int32: 3 },
      { tables: operators.map(({ code }) => ({ table: codePart(code) })) },
      { tables: [graph] },
      { text: "made by a test" },
      { tables: buffers.map((bytes) => ({ table: bytes.length > 0 ? [{ bytes }] : [] })) },
      undefined,
      metadata && { tables: [{ table: [{ text: "TFLITE_METADATA" }, { int32: buffers.length - 1 }] }] },
      signature && {
        tables: [
          {
            table: [
              ports(signature.inputs, inputs),
              ports(signature.outputs, outputs),
              { text: signature.key },
              undefined,
              { int32: 0 },
            ],
          },
        ],
      },
    ],
  };
  return flatBytes(root, "TFL3");
}

function tensorPart({ name, type, shape, buffer = 0, scale, zeroPoint = 0 }: TinyTensor): Part {
  const quantization: Part | undefined =
    scale === undefined ? undefined : { table: [undefined, undefined, { float32s: [scale] }, { int64s: [zeroPoint] }] };
  return { table: [{ int32s: shape }, { int8: type }, { int32: buffer }, { text: name }, quantization] };
}

function codePart(code: number | string): (Scalar | Part | undefined)[] {
  return typeof code === "number"
    ? [{ int8: code }, undefined, undefined, { int32: code }]
    : [{ int8: 32 }, { text: code }, undefined, { int32: 32 }];
}

/** A whole file: the place of its root, and what kind of file it is. */
function flatBytes(root: Part, identifier: string): Uint8Array<ArrayBuffer> {
  const output = new Output();
  output.take(8, 8);
  output.set(4, new TextEncoder().encode(identifier));
  output.write(0, 4, put(output, root));
  output.take(8, 8);
  return output.result();
}

/** Metadata: how pixels become inputs, and the file with the names of the classes of the output. */
export function metadataBytes({ mean, std, labels }: { mean: number; std: number; labels: string }): Uint8Array {
  const unit: Part = { table: [{ int8: 1 }, { table: [{ float32s: [mean] }, { float32s: [std] }] }] };
  const input: Part = { table: [{ text: "image" }, undefined, undefined, undefined, { tables: [unit] }] };
  const file: Part = { table: [{ text: labels }, undefined, { int8: 2 }] };
  const output: Part = {
    table: [{ text: "probability" }, undefined, undefined, undefined, undefined, undefined, { tables: [file] }],
  };
  const graph: Part = { table: [undefined, undefined, { tables: [input] }, { tables: [output] }] };
  return flatBytes(
    { table: [{ text: "tiny" }, { text: "a tiny model" }, undefined, { tables: [graph] }, { text: "somebody" }] },
    "M001",
  );
}

/** The options of a custom operator: a FlexBuffer that is a map, with values of 32 bits. */
export function flexMapBytes(values: Readonly<Record<string, number>>): Uint8Array {
  const names = Object.keys(values).toSorted();
  const keyBytes = new TextEncoder().encode(names.map((name) => `${name}\0`).join(""));
  const keysAt = Math.ceil(keyBytes.length / 4) * 4 + 4;
  const valuesAt = keysAt + names.length * 4 + 12;
  const end = valuesAt + names.length * 5;
  const bytes = new Uint8Array(end + 6);
  const view = new DataView(bytes.buffer);
  bytes.set(keyBytes);
  view.setUint32(keysAt - 4, names.length, true);
  let key = 0;
  for (const [index, name] of names.entries()) {
    const value = values[name] ?? 0;
    view.setUint32(keysAt + index * 4, keysAt + index * 4 - key, true);
    if (Number.isInteger(value)) view.setInt32(valuesAt + index * 4, value, true);
    else view.setFloat32(valuesAt + index * 4, value, true);
    // The kind in front, the width of 4 bytes behind.
    bytes[valuesAt + names.length * 4 + index] = ((Number.isInteger(value) ? 1 : 3) << 2) | 2;
    key += name.length + 1;
  }
  view.setUint32(valuesAt - 12, valuesAt - 12 - keysAt, true);
  view.setUint32(valuesAt - 8, 4, true);
  view.setUint32(valuesAt - 4, names.length, true);
  view.setUint32(end, end - valuesAt, true);
  bytes[end + 4] = (9 << 2) | 2;
  bytes[end + 5] = 4;
  return bytes;
}

/** An archive with one file that is not packed. */
export function zipBytes(name: string, text: string): Uint8Array {
  const [label, data] = [new TextEncoder().encode(name), new TextEncoder().encode(text)];
  const local = new Uint8Array(30 + label.length + data.length);
  const entry = new Uint8Array(46 + label.length);
  const end = new Uint8Array(22);
  const [localView, entryView, endView] = [local, entry, end].map((bytes) => new DataView(bytes.buffer));
  localView?.setUint32(0, 0x0403_4b50, true);
  localView?.setUint16(26, label.length, true);
  local.set(label, 30);
  local.set(data, 30 + label.length);
  entryView?.setUint32(0, 0x0201_4b50, true);
  for (const at of [20, 24]) entryView?.setUint32(at, data.length, true);
  entryView?.setUint16(28, label.length, true);
  entry.set(label, 46);
  endView?.setUint32(0, 0x0605_4b50, true);
  endView?.setUint16(10, 1, true);
  endView?.setUint32(12, entry.length, true);
  endView?.setUint32(16, local.length, true);
  return Uint8Array.from([...local, ...entry, ...end]);
}
