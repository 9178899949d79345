import type { HearthError } from "../../error.ts";
import { malformed } from "../gguf/malformed.ts";
import type { ByteSource } from "../protobuf/source.ts";
import { limits } from "./limits.ts";

const pageBytes = 64 * 1024;
const mostPages = 64;
const text = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Numbers anywhere in a file, little-endian, read by pages: of a model of gigabytes only the graph is read. Every place
 * is compared with the size of the file.
 */
export class FlatReader {
  readonly name: string;
  readonly sizeBytes: number;
  /** What is being read, for messages. */
  part = "model";
  private readonly source: ByteSource;
  private readonly pages = new Map<number, DataView>();
  /** For numbers that lie across two pages. */
  private readonly scratch = new DataView(new ArrayBuffer(8));
  /** Where the number is in what `load` returned. */
  private shift = 0;
  private values = 0;

  constructor(source: ByteSource, name: string) {
    this.source = source;
    this.name = name;
    this.sizeBytes = source.sizeBytes;
  }

  fault(problem: string, offset: number): HearthError {
    return malformed({ name: this.name, field: this.part, offset }, problem);
  }

  fail(problem: string, offset: number): never {
    throw this.fault(problem, offset);
  }

  /** Throws unless the bytes are in the file. */
  within(at: number, bytes: number): number {
    if (at < 0 || bytes < 0 || at + bytes > this.sizeBytes) {
      this.fail(`needs ${bytes} bytes at ${at}, but the file has ${this.sizeBytes}`, Math.max(0, at));
    }
    return at;
  }

  /** Counts what is read: small files cannot name the same table a million times. */
  spend(count: number, at: number): void {
    this.values += count;
    if (this.values > limits.values) this.fail(`has more than ${limits.values} values`, at);
  }

  uint8(at: number): number {
    return this.load(at, 1).getUint8(this.shift);
  }

  int8(at: number): number {
    return this.load(at, 1).getInt8(this.shift);
  }

  uint16(at: number): number {
    return this.load(at, 2).getUint16(this.shift, true);
  }

  int32(at: number): number {
    return this.load(at, 4).getInt32(this.shift, true);
  }

  uint32(at: number): number {
    return this.load(at, 4).getUint32(this.shift, true);
  }

  /** Numbers beyond 2^53 come out rounded: they are no places in a file. */
  uint64(at: number): number {
    return Number(this.load(at, 8).getBigUint64(this.shift, true));
  }

  int64(at: number): number {
    return Number(this.load(at, 8).getBigInt64(this.shift, true));
  }

  float32(at: number): number {
    return this.load(at, 4).getFloat32(this.shift, true);
  }

  /** A copy of bytes of the file. */
  bytes(at: number, length: number): Uint8Array<ArrayBuffer> {
    const target = new Uint8Array(length);
    if (length > 0) this.source.read(this.within(at, length), target);
    return target;
  }

  text(at: number, length: number): string {
    return text.decode(this.bytes(at, length));
  }

  private load(at: number, bytes: number): DataView {
    this.within(at, bytes);
    const page = this.page(Math.floor(at / pageBytes));
    this.shift = at % pageBytes;
    if (this.shift + bytes <= page.byteLength) return page;
    for (const [index, byte] of this.bytes(at, bytes).entries()) this.scratch.setUint8(index, byte);
    this.shift = 0;
    return this.scratch;
  }

  private page(index: number): DataView {
    const known = this.pages.get(index);
    if (known) return known;
    const start = index * pageBytes;
    const page = new DataView(this.bytes(start, Math.min(pageBytes, this.sizeBytes - start)).buffer);
    const [oldest] = this.pages.keys();
    if (this.pages.size >= mostPages && oldest !== undefined) this.pages.delete(oldest);
    this.pages.set(index, page);
    return page;
  }
}
