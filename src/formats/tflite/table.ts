/** Tables, vectors and texts of a FlatBuffer. Format: https://flatbuffers.dev/internals/ */
import { limits } from "./limits.ts";
import type { FlatReader } from "./reader.ts";

/** A piece of the file. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Fields by their numbers in the schema; what a file leaves out has the default. */
export class FlatTable {
  readonly at: number;
  readonly reader: FlatReader;
  private readonly vtable: number;
  private readonly vtableBytes: number;
  private readonly tableBytes: number;

  constructor(reader: FlatReader, at: number) {
    this.reader = reader;
    this.at = at;
    reader.spend(1, at);
    reader.within(at, 4);
    this.vtable = at - reader.int32(at);
    reader.within(this.vtable, 4);
    this.vtableBytes = reader.uint16(this.vtable);
    this.tableBytes = reader.uint16(this.vtable + 2);
    if (this.vtableBytes < 4 || this.vtableBytes % 2 !== 0) {
      reader.fail(`has a table of fields of ${this.vtableBytes} bytes`, this.vtable);
    }
    if (this.tableBytes < 4) reader.fail(`has a table of ${this.tableBytes} bytes`, at);
    reader.within(this.vtable, this.vtableBytes);
    reader.within(at, this.tableBytes);
  }

  /** Where a field of so many bytes is; undefined: it is left out. */
  place(field: number, bytes: number): number | undefined {
    const slot = 4 + 2 * field;
    const offset = slot + 2 <= this.vtableBytes ? this.reader.uint16(this.vtable + slot) : 0;
    if (offset === 0) return undefined;
    if (offset < 4 || offset + bytes > this.tableBytes) {
      this.reader.fail(`has a field ${field} outside of its table`, this.at);
    }
    return this.at + offset;
  }

  int8(field: number, otherwise = 0): number {
    const place = this.place(field, 1);
    return place === undefined ? otherwise : this.reader.int8(place);
  }

  uint8(field: number): number {
    const place = this.place(field, 1);
    return place === undefined ? 0 : this.reader.uint8(place);
  }

  int32(field: number, otherwise = 0): number {
    const place = this.place(field, 4);
    return place === undefined ? otherwise : this.reader.int32(place);
  }

  uint32(field: number): number {
    const place = this.place(field, 4);
    return place === undefined ? 0 : this.reader.uint32(place);
  }

  uint64(field: number): number {
    const place = this.place(field, 8);
    return place === undefined ? 0 : this.reader.uint64(place);
  }

  table(field: number): FlatTable | undefined {
    const target = this.follow(field);
    return target === undefined ? undefined : new FlatTable(this.reader, target);
  }

  tables(field: number): FlatTable[] {
    return this.elements(field, 4, (at) => new FlatTable(this.reader, followFrom(this.reader, at)));
  }

  texts(field: number): string[] {
    return this.elements(field, 4, (at) => textAt(this.reader, followFrom(this.reader, at)));
  }

  text(field: number): string {
    const target = this.follow(field);
    return target === undefined ? "" : textAt(this.reader, target);
  }

  int32s(field: number): number[] {
    return this.elements(field, 4, (at) => this.reader.int32(at));
  }

  float32s(field: number): number[] {
    return this.elements(field, 4, (at) => this.reader.float32(at));
  }

  int64s(field: number): number[] {
    return this.elements(field, 8, (at) => this.reader.int64(at));
  }

  /** Elements of a vector of so many bytes each, unread; undefined: there is none. The length is in front. */
  vector(field: number, elementBytes: number): (ByteRange & { readonly count: number }) | undefined {
    const target = this.follow(field);
    if (target === undefined) return undefined;
    const count = this.reader.uint32(target);
    const length = count * elementBytes;
    if (length > this.reader.sizeBytes - target - 4) {
      this.reader.fail(
        `says that ${count} elements follow, but the file has ${this.reader.sizeBytes - target - 4} more bytes`,
        target,
      );
    }
    return { offset: target + 4, length, count };
  }

  private elements<T>(field: number, bytes: number, read: (at: number) => T): T[] {
    const vector = this.vector(field, bytes);
    if (!vector) return [];
    this.reader.spend(vector.count, vector.offset);
    return Array.from({ length: vector.count }, (_, index) => read(vector.offset + index * bytes));
  }

  private follow(field: number): number | undefined {
    const place = this.place(field, 4);
    return place === undefined ? undefined : followFrom(this.reader, place);
  }
}

/** Offsets only lead forward, so that no table can be inside itself. */
export function followFrom(reader: FlatReader, at: number): number {
  const offset = reader.uint32(at);
  if (offset === 0) reader.fail("points at itself", at);
  return reader.within(at + offset, 4);
}

function textAt(reader: FlatReader, at: number): string {
  const length = reader.uint32(at);
  if (length > limits.textBytes)
    reader.fail(`has a text of ${length} bytes; at most ${limits.textBytes} are allowed`, at);
  reader.spend(1 + length / 64, at);
  return reader.text(reader.within(at + 4, length), length);
}
