/**
 * The format of llama.cpp before 2025: the number of entries; for each its name, calls, values and the values times
 * calls; then the number of pieces of text and the name of the text. All integers are int32.
 */
import { limits } from "../../formats/gguf/limits.ts";
import { malformed } from "../../formats/gguf/malformed.ts";
import type { ImportanceEntry, ImportanceFile } from "./contract.ts";

/** Throws `model_malformed`. */
export function parseLegacy(bytes: Uint8Array, name: string): ImportanceFile {
  const reader = new Reader(bytes, name);
  const count = reader.count("number of entries", limits.tensors);
  const entries = new Map<string, ImportanceEntry>();
  for (let index = 0; index < count; index++) {
    const tensor = reader.text(`name of entry ${index}`);
    const calls = reader.count(tensor, 2 ** 31);
    const values = reader.floats(tensor, reader.count(tensor, 2 ** 31));
    if (values.length === 0) reader.fail(tensor, "has no values");
    entries.set(tensor, { sums: values, counts: Float32Array.of(Math.max(1, calls)) });
  }
  if (entries.size === 0) reader.fail("number of entries", "is 0");
  const chunks = reader.rest > 0 ? reader.count("number of pieces", 2 ** 31) : 0;
  return { entries, datasets: reader.rest > 0 ? [reader.text("name of the text")] : [], chunks, chunkTokens: 0 };
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #name: string;
  #at = 0;

  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#name = name;
  }

  get rest(): number {
    return this.#bytes.length - this.#at;
  }

  fail(field: string, problem: string): never {
    throw malformed({ name: this.#name, field, offset: this.#at }, problem);
  }

  count(field: string, most: number): number {
    const at = this.#take(field, 4);
    const value = this.#view.getInt32(at, true);
    if (value < 0 || value > most) this.fail(field, `says ${value}, so this is no importance matrix`);
    return value;
  }

  text(field: string): string {
    const length = this.count(field, limits.keyBytes);
    const at = this.#take(field, length);
    return new TextDecoder().decode(this.#bytes.subarray(at, at + length));
  }

  floats(field: string, count: number): Float32Array {
    const at = this.#take(field, count * 4);
    const values = Float32Array.from({ length: count }, (_, index) => this.#view.getFloat32(at + index * 4, true));
    if (!values.every((value) => value >= 0 && value < Infinity)) this.fail(field, "holds what is no sum of squares");
    return values;
  }

  #take(field: string, count: number): number {
    if (count > this.rest) this.fail(field, `needs ${count} bytes, but the file has ${this.rest} more`);
    const at = this.#at;
    this.#at += count;
    return at;
  }
}
