import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { makeCheckpoint, tinyTokenizer } from "../../../../test/make-checkpoint.ts";
import { openCheckpoint } from "../../../formats/checkpoint/open.ts";
import { preTokenizerOf } from "../../../formats/checkpoint/tokenizer/pre-tokenizer.ts";
import { readTokenizerJson } from "../../../formats/checkpoint/tokenizer/json.ts";
import { readSentencePiece } from "../../../formats/checkpoint/tokenizer/sentencepiece.ts";
import { roleKeys, vocabularyKeys } from "../../../formats/checkpoint/tokenizer/vocabulary.ts";
import type { Vocabulary } from "../../../formats/checkpoint/tokenizer/vocabulary.ts";
import { toMetadata } from "../../../formats/checkpoint/metadata.ts";
import { createGgufTokenizer } from "./gguf.ts";
import type { GgufTokenizer } from "./gguf.ts";
import { createJsonTokenizer } from "./json.ts";

interface Golden {
  readonly texts: readonly string[];
  readonly cases: readonly {
    readonly name: string;
    readonly tokenizer: Record<string, unknown>;
    readonly plain: readonly (readonly number[])[];
  }[];
}

// Made by scripts/golden/token_ids.py.
const golden = JSON.parse(readFileSync(new URL("__fixtures__/golden.json", import.meta.url), "utf8")) as Golden;

function open(vocabulary: Vocabulary, roles: Record<string, number | undefined> = {}): GgufTokenizer {
  const { table } = vocabulary;
  const unknown = Array.from({ length: table.size }, (_, id) => id).find((id) => table.at(id)?.type === 2);
  return createGgufTokenizer(
    toMetadata({ ...vocabularyKeys(vocabulary, table.size), ...roleKeys({ unknown, ...roles }, table.size) }),
  );
}

/** Texts of which llama.cpp's ways to cut are known to differ: marks and cases beyond ASCII, ends of a text's spaces. */
const isUsual = (text: string): boolean => /^[\x20-\x7e\n]*$/.test(text) && !/<|>|\[/.test(text);

describe("the vocabulary of a tokenizer.json in the words of GGUF", () => {
  test.each(["gpt2", "llama3", "qwen", "gpt4o", "deepseek", "llama2", "gemma", "mistral", "bert"])(
    "%s: usual texts have the tokens of Hugging Face's library",
    (name) => {
      const { tokenizer, plain } = golden.cases.find((each) => each.name === name)!;
      const ours = open(readTokenizerJson(tokenizer));
      // SentencePiece puts a space before a text that has one; the library does not.
      const compared = (text: string): boolean => isUsual(text) && !(name === "mistral" && text.startsWith(" "));
      const texts = [...golden.texts.entries()].filter(([, text]) => compared(text));
      expect(texts.map(([, text]) => [text, ours.encode(text, { special: false, start: true })])).toEqual(
        texts.map(([index, text]) => [text, plain[index]]),
      );
    },
  );

  test.each(["aya", "superbpe", "plain without bytes", "unigram", "unigram with bytes", "accents", "added tokens"])(
    "%s has none, and its tokenizer.json does the work",
    (name) => {
      const { tokenizer, plain } = golden.cases.find((each) => each.name === name)!;
      const vocabulary = readTokenizerJson(tokenizer);
      expect(vocabulary.pre).toBeUndefined();
      const metadata = toMetadata({
        ...vocabularyKeys(vocabulary, vocabulary.table.size),
        "tokenizer.huggingface.json": { type: "string", value: JSON.stringify(tokenizer) },
      });
      const ours = createGgufTokenizer(metadata);
      expect(golden.texts.map((text) => ours.encode(text, { special: false, start: true }))).toEqual(plain);
    },
  );
});

describe("a way to cut texts that has a name", () => {
  // In GGUF that name is one of a token that texts may always have.
  const texts = golden.texts.filter((text) => !text.includes("<|start|>"));

  test.each(["llama-bpe", "dbrx", "qwen2", "gpt-2", "smollm", "tekken", "gpt-4o", "deepseek-v3", "deepseek-coder"])(
    "%s cuts as the words of tokenizer.json do",
    (name) => {
      const { tokenizer } = golden.cases.find((each) => each.name === "gpt2")!;
      const { preTokenizer, ignoreMerges } = preTokenizerOf(name)!;
      const model = { ...(tokenizer["model"] as object), ignore_merges: ignoreMerges };
      const json = { ...tokenizer, model, pre_tokenizer: preTokenizer, normalizer: null };
      const vocabulary = readTokenizerJson(json);
      expect(vocabulary.pre).toBe(name);
      const [ours, theirs] = [open(vocabulary), createJsonTokenizer(json)];
      for (const text of texts) {
        const options = { special: false, start: true };
        expect([text, ours.encode(text, options)]).toEqual([text, theirs.encode(text, options)]);
      }
    },
  );

  test("one without a name is done by the tokenizer.json itself", () => {
    const odd = {
      ...tinyTokenizer,
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [
          { type: "Split", pattern: { Regex: "[aeiou]" }, behavior: "Isolated", invert: false },
          { type: "ByteLevel", add_prefix_space: false, use_regex: false },
        ],
      },
    };
    const { file, close } = openCheckpoint(makeCheckpoint({ "tokenizer.json": odd }));
    close();
    const ours = createGgufTokenizer(file.metadata);
    expect(ours.size).toBe(264);
    expect(ours.decode(ours.encode("hey </s> you", { special: false }))).toBe("hey </s> you");
    expect(ours.encode("a</s>", { special: true })).toEqual(
      [97, 257].map((id) => (id === 97 ? ours.encode("a", { special: false })[0] : id)),
    );
    expect([...ours.endTokens]).toContain(257);
    expect(ours.isControl(263)).toBe(true);
    expect(ours.vocabulary.starts).toHaveLength(265);
  });
});

interface PieceGolden {
  readonly kind: "bpe" | "unigram";
  readonly model: string;
  readonly texts: readonly string[];
  readonly tokens: readonly (readonly number[])[];
}

// Made by scripts/golden/checkpoints.py.
const pieces = JSON.parse(
  readFileSync(new URL("../../../formats/checkpoint/__fixtures__/pieces.json", import.meta.url), "utf8"),
) as readonly PieceGolden[];

test.each(pieces)("a tokenizer.model has the tokens of SentencePiece: $kind", ({ kind, model, texts, tokens }) => {
  const { roles, ...vocabulary } = readSentencePiece(Buffer.from(model, "base64"), new Map());
  expect(vocabulary.model).toBe(kind === "bpe" ? "llama" : "t5");
  const ours = open(vocabulary, roles);
  for (const [index, text] of texts.entries()) {
    expect(ours.encode(text, { special: false, start: true })).toEqual(tokens[index]);
  }
});

test.each([
  ["nothing", ""],
  ["a number without end", "gICAgICAgICAgICAgA=="],
  ["a length beyond the end", "Cv8B"],
  ["an unknown kind of field", "Dw=="],
])("a tokenizer.model of %s is refused", (_, base64) => {
  expect(() => readSentencePiece(Buffer.from(base64, "base64"), new Map())).toThrow(
    expect.objectContaining({ code: "model_malformed" }),
  );
});
