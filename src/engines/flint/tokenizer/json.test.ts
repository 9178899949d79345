import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createJsonTokenizer } from "./json.ts";

interface Golden {
  readonly texts: readonly string[];
  readonly cases: readonly {
    readonly name: string;
    readonly tokenizer: unknown;
    readonly special: readonly (readonly number[])[];
    readonly plain: readonly (readonly number[])[];
  }[];
}

// Made by scripts/golden/token_ids.py.
const golden = JSON.parse(readFileSync(new URL("__fixtures__/golden.json", import.meta.url), "utf8")) as Golden;

describe("tokenizer.json", () => {
  test.each(golden.cases)("$name: texts have the tokens of Hugging Face's library", ({ tokenizer, special, plain }) => {
    const ours = createJsonTokenizer(tokenizer);
    expect(golden.texts.map((text) => ours.encode(text, { special: true, start: true }))).toEqual(special);
    expect(golden.texts.map((text) => ours.encode(text, { special: false, start: true }))).toEqual(plain);
  });

  test.each(["gpt2", "llama3", "gpt4o", "llama2", "mistral", "unigram with bytes"])(
    "%s: tokens become the text again",
    (name) => {
      const found = golden.cases.find((each) => each.name === name);
      const ours = createJsonTokenizer(found?.tokenizer);
      const text = "The quick brown fox — 日本 😀 isn't 1234, is it?";
      expect(ours.decode(ours.encode(text, { special: false, start: true }))).toBe(text);
    },
  );

  test("text that continues other text gets no space before it", () => {
    const ours = createJsonTokenizer(golden.cases.find((each) => each.name === "llama2")?.tokenizer);
    const text = (start: boolean): string =>
      ours
        .encode("hello", { special: false, start })
        .map((id) => new TextDecoder().decode(ours.tokenBytes(id)))
        .join("");
    expect([text(true), text(false)]).toEqual([" hello", "hello"]);
  });
});

const merged = { a: 0, b: 1, ab: 2, "<end>": 3, "</s>": 4 };
const bytePairs = { type: "BPE", vocab: merged, merges: ["a b"] };
const added = [
  { id: 3, content: "<end>", special: true },
  { id: 4, content: "</s>", special: false },
];

describe("roles of tokens", () => {
  test("the configuration names them", () => {
    const config = { bos_token: "a", eos_token: { content: "<end>" }, pad_token: null, add_bos_token: true };
    const ours = createJsonTokenizer({ model: bytePairs, added_tokens: added }, config);
    expect(ours).toMatchObject({ size: 5, bos: 0, eos: 3, pad: undefined, addBos: true, addEos: false });
    expect([...ours.endTokens]).toEqual([3]);
    expect([ours.isControl(3), ours.isControl(4), ours.isControl(2)]).toEqual([true, false, false]);
  });

  test("the template of the post-processor says what goes around a text", () => {
    const single = [{ SpecialToken: { id: "a" } }, { Sequence: { id: "A" } }, { SpecialToken: { id: "b" } }];
    const file = { model: bytePairs, post_processor: { type: "TemplateProcessing", single } };
    expect(createJsonTokenizer(file)).toMatchObject({ bos: 0, eos: 1, addBos: true, addEos: true, addSep: false });
    const encoder = { cls_token: "a", sep_token: "b" };
    expect(createJsonTokenizer(file, encoder)).toMatchObject({
      bos: 0,
      sep: 1,
      addBos: true,
      addEos: false,
      addSep: true,
    });
  });
});

describe("a tokenizer.json that is refused", () => {
  const pre = (pattern: string): unknown => ({ type: "Split", pattern: { Regex: pattern }, behavior: "Isolated" });
  test.each<[string, unknown]>([
    ["no object", []],
    ["no model", {}],
    ["no vocabulary", { model: { type: "BPE", merges: [] } }],
    ["an empty vocabulary", { model: { type: "BPE", vocab: {}, merges: [] } }],
    ["an id that is none", { model: { ...bytePairs, vocab: { a: -1 } } }],
    ["an id far beyond the others", { model: { ...bytePairs, vocab: { a: 10_000_000 } } }],
    ["two tokens with one id", { model: { ...bytePairs, vocab: { a: 0, b: 0 } } }],
    ["an added token with the id of another", { model: bytePairs, added_tokens: [{ id: 0, content: "x" }] }],
    ["a merge of texts that are no tokens", { model: { ...bytePairs, merges: ["a c"] } }],
    ["a merge that is no pair", { model: { ...bytePairs, merges: ["a b c"] } }],
    ["an unknown token that is none", { model: { ...bytePairs, unk_token: "?" } }],
    ["scores that are no numbers", { model: { type: "Unigram", unk_id: 0, vocab: [["a", "x"]] } }],
    ["an unknown id out of range", { model: { type: "Unigram", unk_id: 7, vocab: [["a", 0]] } }],
    [
      "a damaged character map",
      { model: bytePairs, normalizer: { type: "Precompiled", precompiled_charsmap: "/////w==" } },
    ],
  ])("%s is malformed", (_, file) => {
    expect(() => createJsonTokenizer(file)).toThrow(expect.objectContaining({ code: "model_malformed" }));
  });

  test.each<[string, unknown]>([
    ["another model", { model: { ...bytePairs, type: "WordLevel" } }],
    ["another normalizer", { model: bytePairs, normalizer: { type: "Reverse" } }],
    ["another pre-tokenizer", { model: bytePairs, pre_tokenizer: { type: "UnicodeScripts" } }],
    ["another decoder", { model: bytePairs, decoder: { type: "CTC" } }],
    ["merges by chance", { model: { ...bytePairs, dropout: 0.1 } }],
    ["an expression that looks back", { model: bytePairs, pre_tokenizer: pre(String.raw`(a+)+\1`) }],
    ["an expression that looks far ahead", { model: bytePairs, pre_tokenizer: pre("a(?=b*c)") }],
  ])("%s is unsupported", (_, file) => {
    expect(() => createJsonTokenizer(file)).toThrow(expect.objectContaining({ code: "model_unsupported" }));
  });
});
