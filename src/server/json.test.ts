import { describe, expect, test } from "vitest";
import { jsonDepth, jsonErrorPosition } from "./json.ts";

describe("where JSON stops being JSON", () => {
  test.each([
    ["", 0],
    ["{", 1],
    ['{"a" 1}', 5],
    ['{"a":1,}', 7],
    ["[1,2", 4],
    ["[1 2]", 3],
    ["[,1]", 1],
    ["nul", 0],
    ["NaN", 0],
    ['{"a":NaN}', 5],
    ["[1]]", 3],
    ['"abc', 0],
    ['["ok","tab\there"]', 6],
    ['{"a":"\\x"}', 5],
    ["{a:1}", 1],
    ["[01]", 2],
    ["{]", 1],
    ["1 2", 2],
  ])("%j at %i", (text, position) => {
    expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
    expect(jsonErrorPosition(text)).toBe(position);
  });

  test("is never before the end of a text that is right", () => {
    for (const value of [{ a: [1, -2.5e3, true, null, 'x\\"\u00e9'], b: {} }, [], "x", 0, [[[]]]]) {
      const text = JSON.stringify(value, undefined, 2);
      expect(jsonErrorPosition(text)).toBe(text.length);
    }
  });

  test("is found in a long string too", () => {
    expect(jsonErrorPosition(`["${"a".repeat(4_000_000)}" x]`)).toBe(4_000_004);
  });
});

describe("how deep JSON goes", () => {
  test.each([
    ["1", 0],
    ["[]", 1],
    ['{"a":[{}]}', 3],
    ['["[[[["]', 1],
    ['["\\"[[["]', 1],
    ['["\\\\",[]]', 2],
  ])("%j: %i", (text, depth) => {
    expect(jsonDepth(Buffer.from(text))).toBe(depth);
  });

  test("a million brackets are counted, not followed", () => {
    expect(jsonDepth(Buffer.from("[".repeat(1_000_000)))).toBe(1_000_000);
  });
});
