import { describe, expect, test } from "vitest";
import { modelBytes } from "../../../../test/make-model.ts";
import { bertVocabulary, llamaVocabulary } from "../../../../test/make-vocabulary.ts";
import type { GgufTypedValue } from "../../../formats/gguf/encode.ts";
import { parseGguf } from "../../../formats/gguf/parse.ts";
import { characterOfByte } from "./byte-level.ts";
import type { Tokenizer } from "./contract.ts";
import { createGgufTokenizer } from "./gguf.ts";

type Keys = Readonly<Record<string, GgufTypedValue>>;

function tokenizer(keys: Keys, architecture = "llama"): Tokenizer {
  const metadata: Record<string, GgufTypedValue> = {
    "general.architecture": { type: "string", value: architecture },
  };
  for (const [key, value] of Object.entries(keys)) metadata[`tokenizer.ggml.${key}`] = value;
  return createGgufTokenizer(parseGguf(modelBytes({ metadata, tensors: [] })).metadata);
}

const text = (value: string): GgufTypedValue => ({ type: "string", value });
const texts = (value: readonly string[]): GgufTypedValue => ({ type: "array", of: "string", value });
const integers = (value: readonly number[]): GgufTypedValue => ({ type: "array", of: "int32", value });
const floats = (value: readonly number[]): GgufTypedValue => ({ type: "array", of: "float32", value });
const id = (value: number): GgufTypedValue => ({ type: "uint32", value });

function sentencePiece(keys: Keys = {}): Tokenizer {
  const { tokens, scores, types } = llamaVocabulary();
  return tokenizer({
    model: text("llama"),
    tokens: texts(tokens),
    scores: floats(scores),
    token_type: integers(types),
    ...keys,
  });
}

const bytes = characterOfByte.map((code) => String.fromCodePoint(code));
const merges = ["h e", "l l", "he ll", "hell o", "Ġ hello", "Ġ Ġ", "Ċ Ċ", "1 2"];
const byteTokens = [...bytes, ...merges.map((merge) => merge.replace(" ", "")), "<|im_end|>", "<s>", "[USER]", "[USER"];

function bytePairs(keys: Keys = {}): Tokenizer {
  return tokenizer({
    model: text("gpt2"),
    pre: text("gpt-2"),
    tokens: texts(byteTokens),
    token_type: integers(byteTokens.map((_, token) => (token < 264 ? 1 : token < 266 ? 3 : 4))),
    merges: texts(merges),
    bos_token_id: id(265),
    eos_token_id: id(265),
    ...keys,
  });
}

function pieces(of: Tokenizer, source: string | Uint8Array, { special = false, start = true } = {}): string[] {
  return of.encode(source, { special, start }).map((token) => Buffer.from(of.tokenBytes(token)).toString("latin1"));
}

describe("SentencePiece", () => {
  test("a space goes before a text and behind a special token, not before text that goes on", () => {
    const ours = sentencePiece();
    expect(pieces(ours, "hello world")).toEqual([" hello", " world"]);
    expect(pieces(ours, "the<|im_end|>the", { special: true })).toEqual([" the", "<|im_end|>", " the"]);
    expect(pieces(ours, "the", { start: false })).toEqual(["t", "h", "e"]);
    expect(ours.encode("", { special: true, start: true })).toEqual([]);
  });

  test("add_space_prefix of the metadata is obeyed", () => {
    const ours = sentencePiece({ add_space_prefix: { type: "bool", value: false } });
    expect(pieces(ours, "the the")).toEqual(["t", "h", "e", " the"]);
    expect(ours.decode(ours.encode(" the", { special: false, start: true }))).toBe(" the");
  });

  test("characters that are no tokens become bytes, and bytes become text again", () => {
    const ours = sentencePiece();
    const source = "wörld 🦙\n";
    const ids = ours.encode(source, { special: false, start: true });
    expect(pieces(ours, "ö", { start: false })).toEqual(["\u00c3", "\u00b6"]);
    expect(ours.decode(ids)).toBe(source);
  });

  test("special tokens are told apart, and end tokens are found by their names", () => {
    const ours = sentencePiece();
    const end = ours.encode("<|im_end|>", { special: true })[0] ?? -1;
    expect(ours.isControl(end)).toBe(true);
    expect([...ours.endTokens].sort((a, b) => a - b)).toEqual([2, end]);
    expect(ours).toMatchObject({ bos: 1, eos: 2, unk: 0, addBos: true, addEos: false });
    expect(() => ours.tokenBytes(ours.size)).toThrow(expect.objectContaining({ code: "bad_request" }));
  });
});

describe("byte-level pairs", () => {
  test("merges are made in their order", () => {
    const parts = ["hello", " hello", " ", " ", "he", "l", "12", "\n\n"];
    expect(pieces(bytePairs(), "hello hello  hel12\n\n")).toEqual(parts);
  });

  test("the family's name cuts the text: digits one by one", () => {
    expect(pieces(bytePairs({ pre: text("smollm") }), "a12")).toEqual(["a", "1", "2"]);
    expect(pieces(bytePairs({ pre: text("llama-bpe") }), "a12")).toEqual(["a", "12"]);
  });

  test("control tokens are found only where they are asked for, user-defined ones always, the longest first", () => {
    const ours = bytePairs();
    expect(pieces(ours, "<s>[USER]", { special: true })).toEqual(["<s>", "[USER]"]);
    expect(pieces(ours, "<s>[USER]")).toEqual(["<", "s", ">", "[USER]"]);
    expect(pieces(ours, "[USER[USER]")).toEqual(["[USER", "[USER]"]);
  });

  test("half a character, and bytes that are no UTF-8, count as U+FFFD", () => {
    const ours = bytePairs();
    const replacement = ours.encode("\ufffd", { special: false });
    expect(replacement).toHaveLength(3);
    expect(ours.encode("\ud83e", { special: false })).toEqual(replacement);
    expect(ours.encode("\udd99", { special: false })).toEqual(replacement);
    expect(ours.encode(Uint8Array.of(0xff), { special: false })).toEqual(replacement);
    expect(ours.encode(Buffer.from("hello"), { special: false })).toEqual(ours.encode("hello", { special: false }));
  });

  test("every byte comes back", () => {
    const ours = bytePairs();
    const source = "\0\u007f\u0080ÿ\u{10ffff} <s>é";
    expect(ours.decode(ours.encode(source, { special: true, start: true }))).toBe(source);
  });
});

describe("WordPiece", () => {
  const { tokens, types } = bertVocabulary();
  const ours = tokenizer(
    {
      model: text("bert"),
      tokens: texts(tokens),
      token_type: integers(types),
      bos_token_id: id(2),
      seperator_token_id: id(3),
      unknown_token_id: id(1),
    },
    "bert",
  );

  test("words are found without their case and accents, punctuation alone", () => {
    expect(pieces(ours, "Héllo, WORLD")).toEqual([" hello", " ,", " world"]);
    expect(pieces(ours, "theq 中 the[MASK]", { special: true })).toEqual([" the", "q", "[UNK]", " the", "[MASK]"]);
    expect(ours).toMatchObject({ bos: 2, sep: 3, cls: 2, addBos: true, addEos: false, addSep: true });
  });
});

describe("unigram", () => {
  const tokens = ["<unk>", "</s>", "▁", "▁the", "the", "t", "h", "e", "▁th", "s", "<x>"];
  const scores = [0, 0, -3, -2, -6, -4, -4, -4, -3, -5, 0];
  const types = [2, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4];
  const make = (keys: Keys = {}): Tokenizer =>
    tokenizer({
      model: text("t5"),
      tokens: texts(tokens),
      scores: floats(scores),
      token_type: integers(types),
      unknown_token_id: id(0),
      add_space_prefix: { type: "bool", value: true },
      remove_extra_whitespaces: { type: "bool", value: true },
      ...keys,
    });

  test("the most probable tokens win, unknown characters in a row are one, spaces in a row too", () => {
    const ours = make();
    expect(pieces(ours, "the  thes")).toEqual([" the", " the", "s"]);
    expect(pieces(ours, "the日本the ")).toEqual([" the", "<unk>", "the"]);
    expect(pieces(ours, "the<x>the", { start: false })).toEqual(["the", "<x>", " the"]);
    expect(ours).toMatchObject({ eos: 1, addBos: false, addEos: true });
  });

  test("a character map that points beyond its end is malformed", () => {
    const map = { type: "array", of: "uint8", value: [255, 255, 255, 255, 0] } as const;
    expect(() => make({ precompiled_charsmap: map })).toThrow(expect.objectContaining({ code: "model_malformed" }));
  });
});

describe("a vocabulary that is refused", () => {
  test.each<[string, Keys]>([
    ["no kind", { model: { type: "uint32", value: 1 } }],
    ["a merge of texts that are no tokens", { merges: texts(["h x", "q hello"]) }],
    ["a merge without a space", { merges: texts(["hello"]) }],
    ["merges of another type", { merges: integers([1]) }],
    ["fewer types than tokens", { token_type: integers([1, 1]) }],
    ["ids of another type", { bos_token_id: { type: "float32", value: 1.5 } }],
  ])("%s is malformed", (_, keys) => {
    expect(() => bytePairs(keys)).toThrow(expect.objectContaining({ code: "model_malformed" }));
  });

  test.each<[string, Keys]>([
    ["another kind", { model: text("rwkv") }],
    ["another family", { pre: text("constructor") }],
    ["a special token with a very long name", { tokens: texts(byteTokens.with(264, "<".repeat(5000))) }],
  ])("%s is unsupported", (_, keys) => {
    expect(() => bytePairs(keys)).toThrow(expect.objectContaining({ code: "model_unsupported" }));
  });
});

describe("long texts", () => {
  const long = 40_000;
  const hard: readonly string[] = ["a", " ", "\n", "1", "'", "中", "😀", "<s>", "[USER", "hello"];
  const kinds: readonly (readonly [string, () => Tokenizer])[] = [
    ["SentencePiece", sentencePiece],
    ["byte-level pairs", bytePairs],
    ["byte-level pairs of jais-2", () => bytePairs({ pre: text("jais-2") })],
  ];
  test.each(kinds)("%s: the time does not grow with the square of the length", (_, make) => {
    const ours = make();
    const start = performance.now();
    for (const part of hard) ours.encode(part.repeat(long / part.length), { special: true, start: true });
    // The square would take minutes.
    expect(performance.now() - start).toBeLessThan(3000);
  });
});
