import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { JsonSchema } from "../../../spec/message.ts";
import type { OutputFormat } from "../../../spec/sampling.ts";
import { bytesOf, end, fill, vocabulary } from "./__fixtures__/vocabulary.ts";
import { createFormats } from "./format.ts";
import { createRandom } from "./random.ts";
import type { Random } from "./random.ts";
import { createSampler } from "./sampler.ts";
import { createTextStream } from "./stop.ts";

const formats = createFormats(vocabulary);

/** Random logits, the same seed the same text; undefined: it did not end. */
function generate(format: OutputFormat, random: Random, most = 150): string | undefined {
  const mask = formats.open(format);
  if (!mask) throw new Error("There is no mask.");
  const seed = Math.floor(random.next() * 1e6);
  const sampler = createSampler({ sampling: { temperature: 1, seed }, vocabularySize: vocabulary.size, bytesOf });
  const bits = new Uint32Array(Math.ceil(vocabulary.size / 32));
  const row = new Float32Array(vocabulary.size);
  const stream = createTextStream([]);
  let text = "";
  for (let count = 0; count < most; count++) {
    for (let token = 0; token < row.length; token++) row[token] = 4 * random.next();
    // What closes something becomes likelier, or random texts would never end.
    for (const token of [0x22, 0x5d, 0x7d, end]) row[token] = 4 + count / 12;
    fill(mask, bits);
    const { token } = sampler.sample(row, bits);
    if ((((bits[token >>> 5] ?? 0) >>> (token & 31)) & 1) === 0) throw new Error(`Token ${token} is masked.`);
    mask.accept(token);
    if (token !== end) text += stream.push(bytesOf(token)).text;
    if (mask.finished) return text + stream.flush().text;
  }
  return undefined;
}

/** A schema of everything that can be enforced, up to a depth. */
function randomSchema(random: Random, depth: number): JsonSchema {
  const pick = <T>(...values: readonly T[]): T => values[Math.floor(random.next() * values.length)] as T;
  const inner = (): JsonSchema => randomSchema(random, depth - 1);
  const simple: (() => JsonSchema)[] = [
    () => ({ type: "string" }),
    () => ({ type: "string", minLength: pick(0, 2), maxLength: pick(2, 9, 40) }),
    () => ({
      type: "string",
      pattern: pick("^[a-z]{2,5}$", "\\d", '^(a|b)+[^"x]', "é$", "^\\S+@\\S+\\.[a-z]{2,}$", "[\\n\\\\]+"),
    }),
    () => ({ type: "string", format: pick("date", "ipv4") }),
    () => ({ type: "integer", minimum: pick(-20, 0, 3), maximum: pick(3, 40, 12_345) }),
    () => ({ type: "integer", minimum: pick(-9, 7), exclusiveMaximum: 1000 }),
    () => ({ type: "number" }),
    () => ({ type: "boolean" }),
    () => ({ type: "null" }),
    () => ({ enum: ["red", 'say "hi"\n', 3, null, true] }),
    () => ({ const: pick<unknown>("x", 7, "é\\") }),
  ];
  if (depth === 0) return pick(...simple)();
  return pick<() => JsonSchema>(
    ...simple,
    () => ({ type: "array", items: inner(), minItems: pick(0, 1, 2), maxItems: pick(2, 4) }),
    () => ({ type: "array", prefixItems: [inner(), inner()], items: false }),
    () => ({ anyOf: [inner(), { type: "null" }] }),
    () => ({ type: "object", additionalProperties: inner() }),
    ...Array.from({ length: 8 }, () => () => ({
      type: "object",
      properties: { a: inner(), "b c": inner(), d: inner(), 'e"': inner() },
      required: pick([], ["a"], ["b c", "d"], ["a", 'e"']),
      additionalProperties: false,
    })),
  )();
}

describe("answers with random logits", () => {
  it("are valid under 60 random schemas", () => {
    const random = createRandom(99);
    let ended = 0;
    for (let round = 0; round < 60; round++) {
      const schema = randomSchema(random, 2);
      const text = generate({ type: "json-schema", schema }, random);
      if (text === undefined) continue;
      ended++;
      const result = z.fromJSONSchema(schema).safeParse(JSON.parse(text));
      expect(result.success, `${JSON.stringify(schema)}\n${text}\n${result.error?.message}`).toBe(true);
    }
    expect(ended).toBeGreaterThan(45);
  });

  it("are JSON objects, also under a schema that refers to itself", () => {
    const random = createRandom(5);
    const tree = { type: "object", properties: { v: { type: "integer" }, next: { $ref: "#" } }, required: ["v"] };
    let ended = 0;
    for (let round = 0; round < 20; round++) {
      for (const format of [{ type: "json" } as const, { type: "json-schema", schema: tree } as const]) {
        const text = generate(format, random);
        if (text === undefined) continue;
        ended++;
        expect(JSON.parse(text)).toBeTypeOf("object");
      }
    }
    expect(ended).toBeGreaterThan(25);
  });

  it("match 100 random patterns", () => {
    const random = createRandom(31);
    const wrong: string[] = [];
    let ended = 0;
    const pick = <T>(...values: readonly T[]): T => values[Math.floor(random.next() * values.length)] as T;
    const piece = (depth: number): string => {
      const atom =
        depth > 0 && random.next() < 0.4
          ? `(${piece(depth - 1)}|${piece(depth - 1)})`
          : pick("a", "[b-d]", "\\d", "[^x-z]", "é", "\\s", ".");
      return atom + pick("", "", "+", "{2}", "{1,3}") + (random.next() < 0.5 ? piece(Math.max(0, depth - 1)) : "");
    };
    for (let round = 0; round < 100; round++) {
      const pattern = piece(2);
      const text = generate({ type: "regex", pattern }, random, 40);
      if (text === undefined) continue;
      ended++;
      if (!new RegExp(`^(?:${pattern})$`, "u").test(text)) wrong.push(`${pattern} and ${text}`);
    }
    expect(wrong).toEqual([]);
    expect(ended).toBeGreaterThan(70);
  });

  it("end in an error that says so where a bias bans what the format needs", () => {
    const mask = formats.open({ type: "gbnf", grammar: 'root ::= "x"' });
    const bits = new Uint32Array(Math.ceil(vocabulary.size / 32));
    if (mask) fill(mask, bits);
    const sampling = { temperature: 0, logitBias: new Map([[0x78, -100]]) };
    const sampler = createSampler({ sampling, vocabularySize: vocabulary.size, bytesOf });
    const refused = expect.objectContaining({ code: "grammar_invalid" });
    expect(() => sampler.sample(new Float32Array(vocabulary.size), bits)).toThrow(refused);
  });
});

describe("formats", () => {
  it("refuse what they cannot enforce, naming the keyword", () => {
    for (const [schema, keyword] of [
      [{ type: "string", pattern: "(?=a)b" }, "pattern"],
      [{ type: "object", patternProperties: {} }, "patternProperties"],
      [{ not: {} }, "not"],
      [{ type: "number", multipleOf: 3 }, "multipleOf"],
    ] as const) {
      const refused = expect.objectContaining({ code: "grammar_invalid", details: { keyword, path: "#" } });
      expect(() => formats.open({ type: "json-schema", schema })).toThrow(refused);
    }
    let deep: JsonSchema = {};
    for (let level = 0; level < 20_000; level++) deep = { items: deep };
    expect(() => formats.open({ type: "json-schema", schema: deep })).toThrow(/deeper than 64/);
    const huge = `root ::= ${'"a" '.repeat(20_000)}`;
    expect(() => formats.open({ type: "gbnf", grammar: huge })).toThrow(/80009 bytes/);
  });

  it("hold long lists of constants", () => {
    const values = Array.from({ length: 2000 }, (_, index) => `constant number ${index * 7919}`);
    const mask = formats.open({ type: "json-schema", schema: { enum: values } });
    if (!mask) throw new Error("There is no mask.");
    const bits = new Uint32Array(Math.ceil(vocabulary.size / 32));
    for (const byte of new TextEncoder().encode(JSON.stringify(values[1711]))) {
      fill(mask, bits);
      mask.accept(byte);
    }
    expect(mask.finished).toBe(true);
  });
});
