import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import type { Llama, LlamaModel } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { realVocabulary } from "../../../../test/real-vocabularies.ts";
import { hardTexts } from "../../../../test/tokenizer-texts.ts";
import { randomUniform } from "../../../../test/make-weights.ts";
import type { GgufTypedValue } from "../../../formats/gguf/encode.ts";
import { readGguf } from "../../../formats/gguf/read.ts";
import { writeGguf } from "../../../formats/gguf/write.ts";
import { characterOfByte } from "./byte-level.ts";
import type { Tokenizer } from "./contract.ts";
import { createGgufTokenizer } from "./gguf.ts";
import { families } from "./gguf/families.ts";
import type { GgufMetadata } from "./gguf/metadata.ts";
import { createJsonTokenizer } from "./json.ts";

let llama: Llama;
let folder: string;

beforeAll(async () => {
  llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.disabled, maxThreads: 1 });
  folder = await mkdtemp(join(tmpdir(), "hearth-tokenizer-"));
});

afterAll(async () => {
  for (const both of real.values()) await (await both).theirs.dispose();
  await llama.dispose();
  await rm(folder, { recursive: true });
});

interface Both {
  readonly ours: Tokenizer;
  readonly theirs: LlamaModel;
  readonly metadata: GgufMetadata;
}

async function loadBoth(path: string): Promise<Both> {
  const { metadata } = await readGguf(path);
  const theirs = await llama.loadModel({ modelPath: path, vocabOnly: true, gpuLayers: 0 });
  return { ours: createGgufTokenizer(metadata), theirs, metadata };
}

async function withVocabulary(path: string, use: (both: Both) => void): Promise<void> {
  const both = await loadBoth(path);
  try {
    use(both);
  } finally {
    await both.theirs.dispose();
  }
}

const real = new Map<string, Promise<Both>>();

/** Loaded once for all tests: llama.cpp takes seconds for a large one. */
async function realBoth(name: string): Promise<Both> {
  let both = real.get(name);
  if (!both) real.set(name, (both = realVocabulary(name).then(loadBoth)));
  return await both;
}

function strings(metadata: GgufMetadata, key: string): string[] {
  const value = metadata.get(`tokenizer.ggml.${key}`);
  return typeof value === "object" && value.type === "string" && value.strings ? [...value.strings] : [];
}

function numbers(metadata: GgufMetadata, key: string): number[] {
  const value = metadata.get(`tokenizer.ggml.${key}`);
  return typeof value === "object" && value.type !== "string" ? Array.from(value.numbers ?? [], Number) : [];
}

/** Names of control, unknown and user-defined tokens; of many, every n-th. */
function specialNames(metadata: GgufMetadata): string[] {
  const types = numbers(metadata, "token_type");
  const names = strings(metadata, "tokens").filter((_, id) => [2, 3, 4].includes(types[id] ?? 0));
  const step = Math.ceil(names.length / 80);
  return names.filter((_, index) => index % step === 0 || index > names.length - 10);
}

/** Texts for which the two do not agree, with the tokens of both; special tokens are asked for every other time. */
function differences({ ours, theirs }: Pick<Both, "ours" | "theirs">, texts: readonly string[]): unknown[] {
  return texts.flatMap((text, index) => {
    const special = index % 2 === 0;
    const wanted = theirs.tokenize(text, special);
    const got = ours.encode(text, { special, start: true });
    return got.join() === wanted.join() ? [] : [{ text, special, got: got.join(), wanted: wanted.join() }];
  });
}

describe("vocabularies of real models give the tokens of llama.cpp", () => {
  const names = [
    "llama-spm",
    "phi-3",
    "llama-bpe",
    "qwen2",
    "gpt-2",
    "falcon",
    "gemma-4",
    "bert-bge",
    "nomic-bert-moe",
  ];
  test.each(names)("%s, for 10,000 texts", async (name) => {
    const both = await realBoth(name);
    const { ours, theirs, metadata } = both;
    const texts = hardTexts({ seed: 1, count: 10_000, special: specialNames(metadata), parts: 7 });
    expect(differences(both, texts).slice(0, 3)).toEqual([]);
    const ids = Array.from({ length: ours.size }, (_, id) => id);
    expect(ids.filter((id) => theirs.isEogToken(id as never) !== ours.endTokens.has(id))).toEqual([]);
    expect([ours.bos, ours.eos, ours.sep]).toEqual(
      [theirs.tokens.bos, theirs.tokens.eos, theirs.tokens.sep].map((id) => id ?? undefined),
    );
    expect([ours.addBos, ours.addEos]).toEqual([
      theirs.tokens.shouldPrependBosToken,
      theirs.tokens.shouldAppendEosToken,
    ]);
  });

  // For the others llama.cpp takes spaces out of the text that were in it, before punctuation.
  test.each(["llama-spm", "phi-3", "qwen2", "nomic-bert-moe"])("%s: tokens become text again", async (name) => {
    const { ours, theirs, metadata } = await realBoth(name);
    for (const text of hardTexts({ seed: 2, count: 1000, special: specialNames(metadata) })) {
      const ids = theirs.tokenize(text, true);
      expect(ours.decode(ids)).toBe(theirs.detokenize(ids, true));
    }
  });
});

/** A vocabulary in which every fourth pair of neighbours is joined unless the text was cut between them. */
function pairVocabulary(pre: string): Readonly<Record<string, GgufTypedValue>> {
  const characters = characterOfByte.map((code) => String.fromCodePoint(code));
  const pairs = characters.flatMap((left) => characters.map((right): [string, string] => [left, right]));
  const random = randomUniform(7);
  for (let index = pairs.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    [pairs[index], pairs[other]] = [pairs[other] ?? ["", ""], pairs[index] ?? ["", ""]];
  }
  pairs.length /= 4;
  const controls = ["<s>", "<|im_end|>", "[user]"];
  const tokens = [...characters, ...pairs.map((pair) => pair.join("")), ...controls];
  const types = tokens.map((token) => (token === "[user]" ? 4 : controls.includes(token) ? 3 : 1));
  return {
    ...header(pre),
    "tokenizer.ggml.tokens": { type: "array", of: "string", value: tokens },
    "tokenizer.ggml.token_type": { type: "array", of: "int32", value: types },
    "tokenizer.ggml.merges": { type: "array", of: "string", value: pairs.map((pair) => pair.join(" ")) },
  };
}

/** The same for families that write U+2581 for the space. */
function plainVocabulary(pre: string): Readonly<Record<string, GgufTypedValue>> {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const characters = [...Array.from({ length: 94 }, (_, index) => String.fromCodePoint(33 + index)), "▁", "\n", "é"];
  const merges = ["\n \n", "\n\n \n", "▁ ▁", "▁ a", "a ▁", "e ▁", "t h", "th e"];
  const controls = ["<s>", "<|im_end|>", "[user]"];
  const joined = merges.map((merge) => merge.replace(/(?<=.) /su, ""));
  const tokens = [...bytes, ...characters, ...joined, ...controls];
  const types = tokens.map((token, id) => (id < 256 ? 6 : token === "[user]" ? 4 : controls.includes(token) ? 3 : 1));
  return {
    ...header(pre),
    "tokenizer.ggml.tokens": { type: "array", of: "string", value: tokens },
    "tokenizer.ggml.token_type": { type: "array", of: "int32", value: types },
    "tokenizer.ggml.merges": { type: "array", of: "string", value: merges },
  };
}

function header(pre: string): Readonly<Record<string, GgufTypedValue>> {
  return {
    "general.architecture": { type: "string", value: "llama" },
    "tokenizer.ggml.model": { type: "string", value: "gpt2" },
    "tokenizer.ggml.pre": { type: "string", value: pre },
  };
}

describe("every family cuts texts as llama.cpp does", () => {
  const byCut = new Map(
    Object.entries(families)
      .reverse()
      .map(([name, family]) => [JSON.stringify(family), name]),
  );
  test.each([...byCut.values()])("%s, for 1,000 texts", async (pre) => {
    const path = join(folder, `${pre}.gguf`);
    const metadata = families[pre]?.plain ? plainVocabulary(pre) : pairVocabulary(pre);
    await writeGguf(path, { metadata, tensors: [] });
    await withVocabulary(path, (both) => {
      const texts = hardTexts({ seed: 3, count: 1000, special: ["<s>", "<|im_end|>", "[user]"], parts: 8 });
      // llama.cpp compiles the family's expressions for each text again, which takes longer than the rest.
      const joined = Array.from({ length: 100 }, (_, index) => texts.slice(index * 10, index * 10 + 10).join("\n"));
      expect(differences(both, joined).slice(0, 3)).toEqual([]);
      expect(differences(both, texts.slice(0, 50)).slice(0, 3)).toEqual([]);
    });
    await rm(path);
  });

  test("every name of a family is one that llama.cpp knows", async () => {
    const names = Object.keys(families).filter((name) => !families[name]?.plain);
    const metadata = { ...pairVocabulary("gpt-2") };
    const small = { type: "array", of: "string", value: ["a", "b", "ab"] } as const;
    metadata["tokenizer.ggml.tokens"] = small;
    metadata["tokenizer.ggml.token_type"] = { type: "array", of: "int32", value: [1, 1, 1] };
    metadata["tokenizer.ggml.merges"] = { type: "array", of: "string", value: ["a b"] };
    for (const name of names) {
      const path = join(folder, "name.gguf");
      await writeGguf(path, { metadata: { ...metadata, ...header(name) }, tensors: [] });
      await withVocabulary(path, ({ ours, theirs }) => {
        expect(ours.encode("abb", { special: false, start: true })).toEqual(theirs.tokenize("abb"));
        expect(ours.addBos && ours.bos !== undefined).toBe(theirs.tokens.shouldPrependBosToken);
      });
    }
  });
});

const llama3 = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

interface JsonParts {
  readonly model: Readonly<Record<string, unknown>>;
  readonly pre_tokenizer?: unknown;
  readonly normalizer?: unknown;
}

/** The vocabulary of a GGUF file as a `tokenizer.json`. */
function toJson({ metadata, ours }: Both, parts: JsonParts): unknown {
  const types = numbers(metadata, "token_type");
  const added_tokens = strings(metadata, "tokens").flatMap((content, id) =>
    types[id] === 3 || types[id] === 4 ? [{ id, content, special: ours.isControl(id), normalized: false }] : [],
  );
  return { added_tokens, ...parts };
}

function idsByText(metadata: GgufMetadata): Readonly<Record<string, number>> {
  return Object.fromEntries(strings(metadata, "tokens").map((text, id) => [text, id]));
}

describe("the same vocabulary as tokenizer.json gives the tokens of llama.cpp", () => {
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
  test.each([
    ["gpt-2", { ...byteLevel, use_regex: true }, false],
    [
      "llama-bpe",
      {
        type: "Sequence",
        pretokenizers: [{ type: "Split", pattern: { Regex: llama3 }, behavior: "Isolated" }, byteLevel],
      },
      true,
    ],
  ])("%s, for 3,000 texts", async (name, pre_tokenizer, ignore_merges) => {
    const both = await realBoth(name);
    const { theirs, metadata } = both;
    const model = { type: "BPE", vocab: idsByText(metadata), merges: strings(metadata, "merges"), ignore_merges };
    const ours = createJsonTokenizer(toJson(both, { model, pre_tokenizer }));
    const texts = hardTexts({ seed: 4, count: 3000, special: specialNames(metadata), parts: 7 });
    // Where case is ignored, the long s counts as an s; llama.cpp knows no case beyond ASCII.
    const comparable = texts.filter((text) => !text.includes("'ſ"));
    expect(differences({ ours, theirs }, comparable).slice(0, 3)).toEqual([]);
  });

  test("gemma 4, whose tokens are written with U+2581, for 3,000 texts", async () => {
    const both = await realBoth("gemma-4");
    const { theirs, metadata } = both;
    const ours = createJsonTokenizer(
      toJson(both, {
        model: {
          type: "BPE",
          vocab: idsByText(metadata),
          merges: strings(metadata, "merges").map((merge) => splitMerge(merge)),
          byte_fallback: true,
          fuse_unk: true,
          unk_token: "<unk>",
        },
        normalizer: { type: "Replace", pattern: { String: " " }, content: "▁" },
      }),
    );
    const texts = hardTexts({ seed: 5, count: 3000, special: specialNames(metadata), parts: 7 });
    expect(differences({ ours, theirs }, texts).slice(0, 3)).toEqual([]);
  });
});

function splitMerge(merge: string): readonly [string, string] {
  const gap = merge.indexOf(" ", 1);
  return [merge.slice(0, gap), merge.slice(gap + 1)];
}
