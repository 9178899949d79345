import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeTinyBert, makeTinyLlama, modelBytes, tinyLlama } from "../../test/make-model.ts";
import { tfliteBytes } from "../../test/make-tflite.ts";
import type { TinyLlamaOptions } from "../../test/make-model.ts";
import { llamaVocabulary } from "../../test/make-vocabulary.ts";
import type { GgufContent } from "../formats/gguf/encode.ts";
import type { ModelInfo } from "../spec/model.ts";
import { inspectGguf } from "./inspect.ts";

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-inspect-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const next = (): string => join(folder, `model-${count++}.gguf`);

async function inspectLlama(options: TinyLlamaOptions = {}): Promise<ModelInfo> {
  return await inspectGguf(await makeTinyLlama(next(), { layers: 1, embedding: 32, ...options }));
}

describe("a language model", () => {
  test("tells its sizes, tokens and abilities", async () => {
    const info = await inspectLlama({ layers: 2, embedding: 64, heads: 4, kvHeads: 2, context: 512 });
    expect(info).toMatchObject({
      format: "gguf",
      architecture: "llama",
      parameterCount: 175_424,
      quantization: "F32",
      trainContextTokens: 512,
      embeddingLength: 64,
      blockCount: 2,
      vocabularySize: 792,
      // 2 layers × 2 heads × (16 + 16) values × 2 bytes
      kvBytesPerToken: 256,
      weightBytes: 175_424 * 4,
      bosToken: "<s>",
      eosToken: "</s>",
      specialTokens: ["<s>", "</s>", "<|im_start|>", "<|im_end|>"],
      capabilities: ["generate", "chat"],
    });
    expect(info.chatTemplate).toContain("<|im_start|>");
    expect(info.metadata["general.name"]).toBe("tiny llama");
    expect(info.metadata["tokenizer.ggml.tokens"]).toBeUndefined();
    expect(info.pooling).toBeUndefined();
  });

  test.each([
    ["F16", "F16"],
    ["Q8_0", "Q8_0"],
    ["Q4_0", "Q4_0"],
  ] as const)("of %s weights is called %s", async (type, label) => {
    expect((await inspectLlama({ type })).quantization).toBe(label);
  });

  test("is called by its file type, or by what most of its bytes are", async () => {
    const label = async (value: number): Promise<string> =>
      (await inspectLlama({ type: "Q8_0", metadata: { "general.file_type": { type: "uint32", value } } })).quantization;
    expect(await label(15)).toBe("Q4_K_M");
    expect(await label(1024 + 15)).toBe("Q4_K_M");
    expect(await label(999)).toBe("Q8_0");
    const info = await inspectLlama({ type: "Q8_0", metadata: { "general.file_type": undefined } });
    expect(info.quantization).toBe("Q8_0");
  });

  test("counts the cache of layers with different heads", async () => {
    const info = await inspectLlama({
      architecture: "deepseek2",
      metadata: {
        "deepseek2.block_count": { type: "uint32", value: 3 },
        "deepseek2.attention.head_count_kv": { type: "array", of: "uint32", value: [4, 0, 2] },
        "deepseek2.attention.key_length": { type: "uint32", value: 16 },
        "deepseek2.attention.value_length": { type: "uint32", value: 8 },
      },
    });
    expect(info.kvBytesPerToken).toBe((4 + 2) * (16 + 8) * 2);
  });

  test("without a template completes but does not chat", async () => {
    const info = await inspectLlama({ chatTemplate: null });
    expect(info.capabilities).toEqual(["generate"]);
    expect(info.chatTemplate).toBeUndefined();
  });

  test.each([
    ["{% if tools %}{{ tools }}{% endif %}", ["generate", "chat", "tools"]],
    ["{{ messages }}{% if enable_thinking %}<think>{% endif %}", ["generate", "chat", "thinking"]],
    ["{{ message.reasoning_content }}", ["generate", "chat", "thinking"]],
    ["{{ mytoolset }}", ["generate", "chat"]],
  ])("shows by its template what it can do: %s", async (chatTemplate, capabilities) => {
    expect((await inspectLlama({ chatTemplate })).capabilities).toEqual(capabilities);
  });

  test("fills gaps where it has the tokens for it", async () => {
    const tokens = llamaVocabulary().tokens.with(500, "<|fim_prefix|>");
    const info = await inspectLlama({
      metadata: { "tokenizer.ggml.tokens": { type: "array", of: "string", value: tokens } },
    });
    expect(info.capabilities).toContain("insert");
    expect(info.specialTokens).toContain("<|fim_prefix|>");
  });

  test("has no special tokens that are plain text", async () => {
    const { tokens, types } = llamaVocabulary();
    const texts = ["\n\n", "a", "🦙", "<think>"];
    const info = await inspectLlama({
      metadata: {
        "tokenizer.ggml.tokens": {
          type: "array",
          of: "string",
          value: [...tokens.slice(0, 500), ...texts, ...tokens.slice(504)].map((token, id) =>
            id < 500 && token === "a" ? "ä" : token,
          ),
        },
        "tokenizer.ggml.token_type": {
          type: "array",
          of: "int32",
          value: types.map((type, id) => (id >= 500 && id < 504 ? 4 : type)),
        },
      },
    });
    expect(info.specialTokens).toEqual(["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<think>"]);
  });

  test("with a pooling type embeds, and with rank pooling reranks", async () => {
    expect(await inspectLlama({ poolingType: "last" })).toMatchObject({ pooling: "last", capabilities: ["embed"] });
    expect(await inspectLlama({ poolingType: "rank" })).toMatchObject({ pooling: "rank", capabilities: ["rerank"] });
    expect((await inspectLlama({ poolingType: "none" })).capabilities).toEqual(["generate", "chat"]);
  });
});

describe("an encoder", () => {
  test("embeds, reranks with a classifier, and keeps no cache", async () => {
    const mean = await inspectGguf(await makeTinyBert(next()));
    expect(mean).toMatchObject({ architecture: "bert", kvBytesPerToken: 0, pooling: "mean", capabilities: ["embed"] });
    expect(mean.specialTokens).toEqual(["[PAD]", "[CLS]", "[SEP]", "[MASK]"]);
    const rank = await inspectGguf(await makeTinyBert(next(), { pooling: "rank" }));
    expect(rank).toMatchObject({ kvBytesPerToken: 0, pooling: "rank", capabilities: ["rerank"] });
  });
});

describe("a model in several files", () => {
  const whole = tinyLlama({ layers: 1, embedding: 32 });
  const part = (no: number, tensors: GgufContent["tensors"]): Uint8Array =>
    modelBytes({
      metadata: {
        ...(no === 0 ? whole.metadata : {}),
        "split.no": { type: "uint16", value: no },
        "split.count": { type: "uint16", value: 2 },
      },
      tensors,
    });

  test("is counted whole, and its later parts are no models", async () => {
    const first = join(folder, "split-00001-of-00002.gguf");
    const second = join(folder, "split-00002-of-00002.gguf");
    await writeFile(first, part(0, whole.tensors.slice(0, 4)));
    await expect(inspectGguf(first)).rejects.toMatchObject({ code: "model_not_found" });
    await writeFile(second, part(1, whole.tensors.slice(4)));
    const info = await inspectGguf(first);
    expect(info.weightBytes).toBe((await inspectLlama()).weightBytes);
    await expect(inspectGguf(second)).rejects.toThrow(/is part 2 of 2 of a model/);
  });

  test("without its other parts is refused", async () => {
    const path = join(folder, "alone.gguf");
    await writeFile(path, part(0, whole.tensors));
    await expect(inspectGguf(path)).rejects.toThrow(/the first of 2 parts; the others were not found/);
  });
});

describe("other files", () => {
  test("an adapter, a projector and a bare vocabulary are refused by name", async () => {
    const inspect = async (content: GgufContent): Promise<ModelInfo> => {
      const path = next();
      await writeFile(path, modelBytes(content));
      return await inspectGguf(path);
    };
    const { metadata, tensors } = tinyLlama({ layers: 1, embedding: 32 });
    const type = (value: string): GgufContent["metadata"] => ({
      ...metadata,
      "general.type": { type: "string", value },
    });
    await expect(inspect({ metadata: type("adapter"), tensors })).rejects.toThrow(/is a LoRA adapter, not a model/);
    await expect(inspect({ metadata: type("mmproj"), tensors })).rejects.toThrow(/is the image encoder of a model/);
    await expect(inspect({ metadata, tensors: [] })).rejects.toThrow(/holds a vocabulary but no weights/);
  });

  test("a TFLite file is told by its first bytes, whatever its name", async () => {
    const path = next();
    await writeFile(
      path,
      tfliteBytes({ tensors: [{ name: "x", type: 0, shape: [2] }], inputs: [0], outputs: [0], operators: [] }),
    );
    expect(await inspectGguf(path)).toMatchObject({ format: "tflite", capabilities: ["infer"], parameterCount: 0 });
    await writeFile(path, Buffer.from("\u001c\0\0\0TFL3\u0014\0\0\0"));
    await expect(inspectGguf(path)).rejects.toMatchObject({ code: "model_malformed" });
  });

  test("a damaged file is named with the field and the byte", async () => {
    const path = next();
    const bytes = modelBytes(tinyLlama({ layers: 1, embedding: 32 }));
    await writeFile(path, bytes.subarray(0, bytes.length - 100));
    await expect(inspectGguf(path)).rejects.toMatchObject({
      code: "model_malformed",
      message: expect.stringMatching(/^model-\d+\.gguf: blk\.0\.ffn_down\.weight at byte \d+ has data up to/),
    });
  });
});
