// Damages GGUF headers the way bad disks, bad downloads and bad people do, from a seed.
import { valueBytes, valueTypes } from "../src/formats/gguf/types.ts";
import { randomUniform } from "./make-weights.ts";

/** A number in the header. `text` is the bytes of a string, of `size`. */
interface Field {
  readonly kind: "magic" | "count" | "length" | "type" | "value" | "dimension" | "offset" | "text";
  readonly at: number;
  readonly size: number;
}

/** All fields of a well-formed header. Of long arrays only the first and last elements. */
export function headerFields(bytes: Uint8Array): Field[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields: Field[] = [];
  let at = 0;
  const add = (kind: Field["kind"], size: number, keep = true): number => {
    if (keep) fields.push({ kind, at, size });
    at += size;
    return at - size;
  };
  const number = (kind: Field["kind"], size: 4 | 8, keep = true): number => {
    const start = add(kind, size, keep);
    return size === 4 ? view.getUint32(start, true) : Number(view.getBigUint64(start, true));
  };
  const text = (keep = true): void => {
    const length = number("length", 8, keep);
    add("text", length, keep && length > 0);
  };
  add("magic", 4);
  add("magic", 4);
  const tensors = number("count", 8);
  const keys = number("count", 8);
  for (let key = 0; key < keys; key++) {
    text();
    const type = valueTypes[number("type", 4)];
    if (type === "string") text();
    else if (type !== "array") add("value", valueBytes[type ?? "uint8"]);
    else {
      const element = valueTypes[number("type", 4)];
      const length = number("count", 8);
      for (let index = 0; index < length; index++) {
        const keep = index < 24 || index >= length - 4;
        if (element === "string") text(keep);
        else add("value", valueBytes[element === "array" ? "uint8" : (element ?? "uint8")], keep);
      }
    }
  }
  for (let tensor = 0; tensor < tensors; tensor++) {
    text();
    const dimensions = number("count", 4);
    for (let index = 0; index < dimensions; index++) number("dimension", 8);
    number("type", 4);
    number("offset", 8);
  }
  return fields;
}

const all = 2n ** 64n - 1n;
const telling: readonly bigint[] = [
  0n,
  1n,
  2n,
  3n,
  7n,
  8n,
  9n,
  13n,
  31n,
  32n,
  33n,
  255n,
  4096n,
  65_535n,
  1n << 20n,
  1n << 24n,
  (1n << 31n) - 1n,
  1n << 31n,
  (1n << 32n) - 1n,
  1n << 32n,
  1n << 40n,
  (1n << 53n) + 1n,
  1n << 61n,
  (1n << 63n) - 1n,
  1n << 63n,
  all - 31n,
  all,
];

type Mutation = "flip" | "cut" | "length" | "type" | "value" | "text" | "copy";
const mutations: readonly Mutation[] = [
  "flip",
  "flip",
  "cut",
  "length",
  "length",
  "type",
  "value",
  "value",
  "text",
  "copy",
];

interface Mutant {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mutation: Mutation;
}

/** An endless row of damaged copies of a model; `only` restricts the kinds of damage. */
export function* mutateModel(
  bytes: Uint8Array,
  seed: number,
  only: readonly Mutation[] = mutations,
): Generator<Mutant, never> {
  const uniform = randomUniform(seed);
  const below = (limit: number): number => Math.floor(uniform() * limit);
  const fields = headerFields(bytes);
  const headerBytes = (fields.at(-1)?.at ?? 0) + 8;
  const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)] as Item;
  const fieldOf = (kinds: readonly Field["kind"][]): Field =>
    pick(fields.filter((field) => kinds.includes(field.kind)));
  for (;;) {
    const mutation = pick(only);
    const copy = new Uint8Array(bytes);
    const rounds = uniform() < 0.8 ? 1 : 1 + below(4);
    if (mutation === "cut") {
      const at = uniform() < 0.5 ? pick(fields).at + below(9) : below(bytes.length);
      yield { bytes: copy.slice(0, Math.min(at, bytes.length - 1)), mutation };
      continue;
    }
    for (let round = 0; round < rounds; round++) {
      switch (mutation) {
        case "flip": {
          const at = uniform() < 0.5 ? below(headerBytes) : pick(fields).at + below(4);
          copy[at] = (copy[at] ?? 0) ^ (1 << below(8));
          break;
        }
        case "length":
          write(copy, fieldOf(["length", "count", "dimension", "offset"]), pick(telling));
          break;
        case "type":
          write(copy, fieldOf(["type"]), uniform() < 0.8 ? BigInt(below(48)) : pick(telling));
          break;
        case "value":
          write(copy, fieldOf(["value"]), uniform() < 0.3 ? BigInt(below(64)) : pick(telling));
          break;
        case "text": {
          const field = fieldOf(["text"]);
          copy[field.at + below(field.size)] = below(256);
          break;
        }
        case "copy": {
          const from = below(headerBytes);
          copy.copyWithin(pick(fields).at, from, Math.min(from + 1 + below(64), headerBytes));
          break;
        }
      }
    }
    yield { bytes: copy, mutation };
  }
}

function write(bytes: Uint8Array, field: Field, value: bigint): void {
  for (let index = 0; index < Math.min(field.size, 8); index++) {
    bytes[field.at + index] = Number((value >> BigInt(8 * index)) & 255n);
  }
}
