import { describe, expect, it } from "vitest";
import { HearthError } from "../../error.ts";
import type { JsonSchema } from "../../spec/message.ts";
import { integerRange } from "./range.ts";
import { schemaGrammar } from "./schema.ts";

function refusal(schema: JsonSchema): HearthError {
  try {
    schemaGrammar(schema);
  } catch (error) {
    if (error instanceof HearthError) return error;
    throw error;
  }
  throw new Error("the schema was accepted");
}

/** Grammars of integers have only literals, classes and counts: a regular expression can read them. */
function toRegExp(grammar: string): RegExp {
  return new RegExp(`^(?:${grammar.replaceAll(/"([^"]*)"/g, "$1").replaceAll(" ", "")})$`);
}

describe("a JSON schema", () => {
  it.each([
    [{ type: "object", properties: { a: { type: "string", pattern: "(?=a)" } } }, "pattern", "#/properties/a"],
    [{ type: "string", pattern: "a", maxLength: 3 }, "pattern", "#"],
    [{ type: "array", items: { not: {} } }, "not", "#/items"],
    [{ type: "array", uniqueItems: true }, "uniqueItems", "#"],
    [{ type: "object", patternProperties: {} }, "patternProperties", "#"],
    [{ type: "object", minProperties: 1 }, "minProperties", "#"],
    [{ type: "number", maximum: 5 }, "maximum", "#"],
    [{ type: "number", multipleOf: 2 }, "multipleOf", "#"],
    [{ if: {}, else: {} }, "if", "#"],
    [{ type: "string", format: "iri" }, "format", "#"],
    [{ type: "string", maxLength: 5000 }, "maxLength", "#"],
    [{ type: "integer", minimum: 5, maximum: 4 }, "minimum", "#"],
    [{ $ref: "#/$defs/none" }, "$ref", "#"],
    [{ $ref: "https://elsewhere.test/schema" }, "$ref", "#"],
    [{ oneOf: [{ type: "string" }, { type: "string" }] }, "oneOf", "#"],
    [{ allOf: [{ type: "object" }, { required: ["a"] }] }, "allOf", "#"],
    [{ anyOf: [{ type: "string" }], required: ["a"] }, "required", "#"],
    [{ type: "date" }, "type", "#"],
    [{ type: "string", enum: [1, 2] }, "enum", "#"],
    [{ properties: { "a/b": { contains: {} } } }, "contains", "#/properties/a~1b"],
    [{ $defs: { x: { items: { contains: {} } } }, items: { $ref: "#/$defs/x" } }, "contains", "#/$defs/x/items"],
  ])("is refused with keyword and path when it cannot be enforced: %j", (schema, keyword, path) => {
    const error = refusal(schema);
    expect(error.code).toBe("grammar_invalid");
    expect(error.message).toContain(`"${keyword}" at ${path}`);
    expect(error.details).toEqual({ keyword, path });
  });

  it("is refused when it is too deep or too large", () => {
    let deep: JsonSchema = { type: "string" };
    for (let level = 0; level < 70; level++) deep = { type: "array", items: deep };
    expect(refusal(deep).message).toMatch(/deeper than 64/);
    let endless: JsonSchema = {};
    for (let level = 0; level < 20_000; level++) endless = { items: endless };
    expect(refusal(endless).message).toMatch(/deeper than 64/);
    const wide = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`property${index}`, {}]));
    expect(refusal({ type: "object", properties: wide }).message).toMatch(/bytes/);
  });

  it("may carry annotations and what the common generators write", () => {
    const schema = {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      title: "Person",
      type: "object",
      properties: {
        name: { type: "string", description: "full name", minLength: 1 },
        age: {
          anyOf: [{ type: "integer", minimum: -9007199254740991, maximum: 9007199254740991 }, { type: "null" }],
          default: null,
        },
        tags: { type: "array", items: { type: "string" }, maxItems: 3 },
        friend: { $ref: "#/$defs/Friend" },
        scores: { type: "object", propertyNames: { type: "string" }, additionalProperties: { type: "number" } },
      },
      required: ["name", "age"],
      additionalProperties: false,
      $defs: { Friend: { type: ["object", "null"], properties: { next: { $ref: "#/$defs/Friend" } } } },
    };
    const grammar = schemaGrammar(schema);
    expect(grammar).toMatch(/^root ::= /);
    // Every rule that is used is there, once.
    const rules = grammar
      .split("\n")
      .filter(Boolean)
      .map((line) => line.slice(0, line.indexOf(" ::= ")));
    expect(new Set(rules).size).toBe(rules.length);
    const bodies = grammar.replaceAll(/"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|^\w+ ::=/gm, " ");
    for (const used of bodies.match(/[a-z]\w*/g) ?? []) expect(rules).toContain(used);
  });

  it("quotes names and constants so that they mean themselves", () => {
    const grammar = schemaGrammar({ enum: ['say "hi"\\\n', "]", { a: [1] }] });
    expect(grammar).toContain(String.raw`"\"say \\\"hi\\\"\\\\\\n\""`);
    expect(grammar).toContain(String.raw`"{\"a\":[1]}"`);
  });

  it("tells alternatives apart by a constant", () => {
    const shape = (kind: string): JsonSchema => ({ properties: { kind: { const: kind } }, required: ["kind"] });
    expect(schemaGrammar({ oneOf: [shape("a"), shape("b")] })).toContain("root ::= (");
    expect(refusal({ oneOf: [shape("a"), shape("a")] }).code).toBe("grammar_invalid");
  });
});

describe("a range of integers", () => {
  it.each([
    [0, 9],
    [3, 120],
    [-5, 5],
    [-120, -7],
    [100, 1000],
    [19, 21],
    [7, 7],
    [0, 0],
    [-1, 0],
    [99, 100],
    [256, 511],
  ])("from %d to %d is exact", (from, to) => {
    const pattern = toRegExp(integerRange(from, to));
    for (let value = -1500; value <= 1500; value++) {
      expect(pattern.test(String(value)), `${value} in ${from} to ${to}`).toBe(value >= from && value <= to);
    }
    expect([pattern.test("-0"), pattern.test("007")]).toEqual([false, false]);
  });

  it("may be open", () => {
    const atLeast = toRegExp(integerRange(18, Infinity));
    expect([17, 18, 19, 99, 100, 12_345, 9_007_199_254_740_991].map((value) => atLeast.test(String(value)))).toEqual([
      false,
      true,
      true,
      true,
      true,
      true,
      true,
    ]);
    expect(toRegExp(integerRange(-Infinity, -1)).test("-77")).toBe(true);
  });
});
