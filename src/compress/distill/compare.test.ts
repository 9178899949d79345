import { describe, expect, test } from "vitest";
import type { GgufFile, GgufValue } from "../../formats/gguf/types.ts";
import { checkSameTokens } from "./compare.ts";

function modelWith(tokens: readonly string[], more: Record<string, GgufValue> = {}, name = "student"): GgufFile {
  const strings = {
    length: tokens.length,
    at: (index: number) => tokens[index] ?? "",
    bytes: (index: number) => new TextEncoder().encode(tokens[index]),
    byteLength: (index: number) => tokens[index]?.length ?? 0,
    [Symbol.iterator]: () => tokens[Symbol.iterator](),
  };
  const metadata = new Map<string, GgufValue>([
    ["tokenizer.ggml.model", "gpt2"],
    ["tokenizer.ggml.tokens", { type: "string", length: tokens.length, strings }],
    ...Object.entries(more),
  ]);
  return { name, version: 3, metadata, entries: new Map(), tensors: [], dataOffset: 0, fileBytes: 0, alignment: 32 };
}

const teacher = modelWith(["a", "b", "c"], {}, "teacher");

describe("teacher and student", () => {
  test("may learn from one another where their tokens are the same", () => {
    expect(() => checkSameTokens(teacher, modelWith(["a", "b", "c"]))).not.toThrow();
  });

  test.each([
    [modelWith(["a", "b"]), "tokenizer.ggml.tokens has 3 elements there, 2 here"],
    [modelWith(["a", "x", "c"]), "tokenizer.ggml.tokens differs at 1"],
    [modelWith(["a", "b", "c"], { "tokenizer.ggml.pre": "qwen2" }), "tokenizer.ggml.pre is missing there, qwen2 here"],
  ])("are refused otherwise, with the difference", (student, difference) => {
    expect(() => checkSameTokens(teacher, student)).toThrow(difference);
  });
});
