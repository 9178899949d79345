// oxlint-disable vitest/expect-expect -- check and expectRefused assert
import { describe, expect, test } from "vitest";
import { modelBytes, tinyBert, tinyLlama } from "../../../test/make-model.ts";
import type { TinyLlamaOptions } from "../../../test/make-model.ts";
import { bertVocabulary, llamaVocabulary } from "../../../test/make-vocabulary.ts";
import { HearthError } from "../../error.ts";
import type { GgufContent, GgufTypedValue } from "./encode.ts";
import { parseGguf } from "./parse.ts";
import { validateForEngine } from "./validate.ts";

type Changes = NonNullable<TinyLlamaOptions["metadata"]>;

const llama = tinyLlama({ layers: 1, embedding: 32 });
const bert = tinyBert({ layers: 1, embedding: 32, context: 16 });

/** The same model with some keys replaced or, with undefined, removed. */
function changed(content: GgufContent, changes: Changes): GgufContent {
  const metadata: Record<string, GgufTypedValue> = {};
  for (const [key, value] of Object.entries({ ...content.metadata, ...changes })) if (value) metadata[key] = value;
  return { metadata, tensors: content.tensors };
}

function check(content: GgufContent): void {
  validateForEngine(parseGguf(modelBytes(content)));
}

function expectRefused(content: GgufContent, field: string, problem: RegExp): void {
  let error: unknown;
  try {
    check(content);
  } catch (thrown) {
    error = thrown;
  }
  if (!(error instanceof HearthError)) throw new Error(`not refused: ${String(error)}`);
  expect(error.message).toMatch(problem);
  expect(error.code).toBe("model_malformed");
  expect(error.details["field"]).toBe(field);
  expect(error.details["offset"]).toBeTypeOf("number");
}

const u32 = (value: number): GgufTypedValue => ({ type: "uint32", value });
const f32 = (value: number): GgufTypedValue => ({ type: "float32", value });
const texts = (value: readonly string[]): GgufTypedValue => ({ type: "array", of: "string", value });

test("models of all weight types, and embedding and reranking models, pass", () => {
  for (const type of ["F32", "F16", "Q8_0", "Q4_0"] as const) check(tinyLlama({ type }));
  check(tinyBert());
  check(tinyBert({ pooling: "cls" }));
  check(tinyBert({ pooling: "rank" }));
  check(tinyLlama({ chatTemplate: null, poolingType: "last", vocabulary: 2000 }));
});

describe("sizes that native code has no room for (T-GGUF-6)", () => {
  test.each([
    ["block_count", 0, /from 1 to 512/],
    ["block_count", 513, /is 513; it must be from 1 to 512/],
    ["block_count", 2 ** 32 - 1, /from 1 to 512/],
    ["context_length", 0, /from 1 to 2147483647/],
    ["context_length", 2 ** 31, /from 1 to 2147483647/],
    ["embedding_length", 0, /from 1/],
    ["attention.head_count", 0, /is 0/],
    ["attention.head_count", 3, /must divide|it must divide/],
    ["attention.head_count_kv", 0, /it must divide the 4 heads/],
    ["attention.head_count_kv", 3, /it must divide the 4 heads/],
    ["attention.head_count_kv", 8, /it must divide the 4 heads/],
    ["rope.dimension_count", 7, /must be even/],
    ["pooling_type", 5, /from -1 to 4/],
    ["expert_count", 1025, /from 0 to 1024/],
    ["expert_used_count", 2, /more than the 0 experts/],
    ["nextn_predict_layers", 1, /there are 1 layers in all/],
  ])("llama.%s = %s", (name, value, problem) => {
    const field = `llama.${name}`;
    const refusedField = name === "attention.head_count" && value === 3 ? "llama.attention.head_count_kv" : field;
    expectRefused(changed(llama, { [field]: u32(value) }), refusedField, problem);
  });

  test("experts that do not fit each other", () => {
    const experts = { "llama.expert_count": u32(8), "llama.expert_used_count": u32(2) };
    check(changed(llama, experts));
    for (const count of [1, 8]) {
      const unused = { "llama.expert_count": u32(count), "llama.expert_used_count": u32(0) };
      expectRefused(changed(llama, unused), "llama.expert_used_count", /is 0/);
    }
    expectRefused(
      changed(llama, { ...experts, "llama.expert_group_count": u32(8) }),
      "llama.expert_group_count",
      /is 8/,
    );
    expectRefused(
      changed(llama, { ...experts, "llama.expert_group_count": u32(3) }),
      "llama.expert_group_count",
      /fit/,
    );
  });

  test("head counts that differ from layer to layer", () => {
    const counts = (heads: readonly number[], kv: readonly number[]): Changes => ({
      "llama.block_count": u32(heads.length),
      "llama.attention.head_count": { type: "array", of: "uint32", value: heads },
      "llama.attention.head_count_kv": { type: "array", of: "uint32", value: kv },
    });
    check(changed(llama, counts([4, 0, 8], [2, 0, 8])));
    expectRefused(changed(llama, counts([4, 8], [2, 3])), "llama.attention.head_count_kv", /is 3 in layer 1/);
    expectRefused(changed(llama, counts([0, 0], [0, 0])), "llama.attention.head_count", /is 0/);
  });

  test.each([Number.NaN, -1, Infinity])("a norm epsilon of %s", (value) => {
    expectRefused(
      changed(llama, { "llama.attention.layer_norm_rms_epsilon": f32(value) }),
      "llama.attention.layer_norm_rms_epsilon",
      /from 0 to 1/,
    );
  });

  test("a rope scaling that nobody knows, at which llama.cpp aborts", () => {
    const key = "llama.rope.scaling.type";
    for (const value of ["none", "linear", "yarn", "longrope"])
      check(changed(llama, { [key]: { type: "string", value } }));
    expectRefused(changed(llama, { [key]: { type: "string", value: "linea" } }), key, /must be one of none, linear/);
  });

  test("head sizes that do not fit the attention matrices", () => {
    const length = "llama.attention.key_length";
    const both = (value: number): Changes => ({
      [length]: u32(value),
      "llama.attention.value_length": u32(value),
      "llama.rope.dimension_count": u32(value),
    });
    check(changed(llama, both(8)));
    expectRefused(changed(llama, both(16)), "blk.0.attn_q.weight", /has the shape 32 × 32; .* must have 64 rows/);
    expectRefused(changed(llama, { ...both(8), [length]: u32(10) }), length, /but the value length is 8/);
    expectRefused(
      changed(llama, { "llama.rope.dimension_count": u32(4) }),
      "llama.rope.dimension_count",
      /must be the head size of 8/,
    );
    const none = { type: "array", of: "uint32", value: [0] } as const;
    expectRefused(changed(llama, { "llama.attention.head_count_kv": none }), "blk.0.attn_k.weight", /must have 0 rows/);
    const gemma = tinyLlama({ layers: 1, embedding: 32, architecture: "gemma" });
    expectRefused(changed(gemma, { "gemma.attention.head_count_kv": none }), "blk.0.attn_k.weight", /must have 0 rows/);
  });

  test("layers without their size, at which llama.cpp aborts", () => {
    const dense = "llama.feed_forward_length";
    expectRefused(changed(llama, { [dense]: u32(0) }), dense, /missing or 0 for layer 0, which has blk\.0\.ffn_gate/);
    expectRefused(changed(llama, { [dense]: undefined }), dense, /missing or 0/);
    const expert = "llama.expert_feed_forward_length";
    const renamed = (from: string, to: string): GgufContent => ({
      metadata: { ...llama.metadata, [expert]: u32(0), "llama.expert_shared_feed_forward_length": u32(0) },
      tensors: llama.tensors.map((tensor) => ({ ...tensor, name: tensor.name.replace(from, to) })),
    });
    check(renamed("x", "x"));
    expectRefused(renamed("ffn_up", "ffn_up_exps"), expert, /missing or 0/);
    expectRefused(renamed("ffn_up", "ffn_up_shexp"), "llama.expert_shared_feed_forward_length", /missing or 0/);
    expectRefused(
      changed(llama, { "llama.attention.head_count": undefined }),
      "llama.attention.head_count",
      /is missing/,
    );
  });

  test("missing sizes, and a missing architecture", () => {
    expectRefused(changed(llama, { "llama.block_count": undefined }), "llama.block_count", /is missing/);
    expectRefused(changed(llama, { "general.architecture": undefined }), "general.architecture", /is missing/);
    expectRefused(
      changed(llama, { "general.architecture": { type: "string", value: "../x" } }),
      "general.architecture",
      /not the name/,
    );
  });
});

describe("known keys of another type (T-GGUF-5)", () => {
  const string: GgufTypedValue = { type: "string", value: "512" };
  test.each([
    ["llama.context_length", string, /must be an integer/],
    ["llama.context_length", f32(1.5), /must be an integer/],
    ["llama.block_count", { type: "array", of: "uint32", value: [1] }, /is an array of uint32; it must be an integer/],
    ["llama.attention.head_count", texts(["4"]), /must be/],
    ["llama.attention.layer_norm_rms_epsilon", string, /must be a number/],
    ["general.architecture", u32(1), /must be a string/],
    ["tokenizer.ggml.model", u32(1), /must be a string/],
    ["tokenizer.chat_template", texts(["a"]), /must be a string/],
    ["tokenizer.ggml.tokens", string, /must be an array of strings/],
    ["tokenizer.ggml.tokens", { type: "array", of: "uint8", value: [1] }, /must be an array of strings/],
    ["tokenizer.ggml.scores", texts(["a"]), /must be an array of numbers/],
    ["tokenizer.ggml.token_type", u32(1), /must be an array of numbers/],
    ["tokenizer.ggml.merges", u32(1), /must be an array of strings/],
    ["tokenizer.ggml.bos_token_id", string, /must be an integer/],
    ["tokenizer.ggml.add_bos_token", u32(1), /must be a boolean/],
    ["llama.attention.causal", u32(1), /must be a boolean/],
  ] as const)("%s", (key, value, problem) => {
    expectRefused(changed(llama, { [key]: value }), key, problem);
  });
});

describe("vocabularies that make llama.cpp abort or read beyond them (T-GGUF-6)", () => {
  const { tokens, scores, types } = llamaVocabulary();
  const withToken = (id: number, text: string): Changes => ({ "tokenizer.ggml.tokens": texts(tokens.with(id, text)) });

  test("arrays of different lengths", () => {
    const short = { type: "array", of: "float32", value: scores.slice(1) } as const;
    expectRefused(
      changed(llama, { "tokenizer.ggml.scores": short }),
      "tokenizer.ggml.scores",
      /has 791 elements, but there are 792 tokens/,
    );
    const long = { type: "array", of: "int32", value: [...types, 1] } as const;
    expectRefused(
      changed(llama, { "tokenizer.ggml.token_type": long }),
      "tokenizer.ggml.token_type",
      /has 793 elements/,
    );
  });

  test("a token twice, also where only a zero byte tells two apart", () => {
    expectRefused(changed(llama, withToken(400, "▁the")), "tokenizer.ggml.tokens", /has the token "▁the" twice/);
    expectRefused(changed(llama, withToken(400, "▁the\0x")), "tokenizer.ggml.tokens", /twice, the second time as/);
    const empty = { "tokenizer.ggml.tokens": texts(tokens.with(400, "[EMPTY_401]").with(401, "")) };
    expectRefused(changed(llama, empty), "tokenizer.ggml.tokens", /"\[EMPTY_401\]" twice, the second time as 401/);
  });

  test("tokens of different bytes that are no UTF-8 are not the same token", () => {
    const bytes = modelBytes(
      changed(llama, { "tokenizer.ggml.tokens": texts(tokens.with(400, "~~1").with(401, "~~2")) }),
    );
    const buffer = Buffer.from(bytes.buffer);
    bytes[buffer.indexOf("~~1") + 2] = 0xff;
    bytes[buffer.indexOf("~~2") + 2] = 0xfe;
    expect(() => validateForEngine(parseGguf(bytes))).not.toThrow();
    bytes[buffer.indexOf("~~\xFE", 0, "latin1") + 2] = 0xff;
    expect(() => validateForEngine(parseGguf(bytes))).toThrow(/twice/);
  });

  test.each(["<0x-1>", "<0xGG>", "<0x1>", "<0x0a>", "0x0A", "<0x000A>", "", "xyz"])("the byte token %j", (text) => {
    expectRefused(
      changed(llama, withToken(13, text)),
      "tokenizer.ggml.tokens",
      /for a byte \(token 13\); it must be like <0x0A>/,
    );
  });

  test("plamo2 takes tokens for bytes by their form alone", () => {
    const plamo: Changes = { ...withToken(400, "<0x-1>"), "tokenizer.ggml.model": { type: "string", value: "plamo2" } };
    expectRefused(changed(llama, plamo), "tokenizer.ggml.tokens", /<0x-1>/);
    check(changed(llama, withToken(400, "<0x-1>")));
  });

  test("a SentencePiece vocabulary without a token for a byte, which ends the process at the first such text", () => {
    const renamed = withToken(3 + 0x9f, "▁nine");
    const normal = { type: "array", of: "int32", value: types.with(3 + 0x9f, 1) } as const;
    const changes = { ...renamed, "tokenizer.ggml.token_type": normal };
    expectRefused(changed(llama, changes), "tokenizer.ggml.tokens", /has no token for the byte 0x9F, nor for 0 others/);
    const ascii = {
      ...withToken(3 + 0x41, "▁forty"),
      "tokenizer.ggml.token_type": { ...normal, value: types.with(3 + 0x41, 1) },
    };
    check(changed(llama, ascii)); // "A" itself is a token
  });

  test("a WordPiece vocabulary with bytes, and a model without vocabulary", () => {
    const { types: bertTypes } = bertVocabulary();
    const byte = { type: "array", of: "int32", value: bertTypes.with(7, 6) } as const;
    expectRefused(
      changed(bert, { "tokenizer.ggml.token_type": byte }),
      "tokenizer.ggml.token_type",
      /says byte for token 7/,
    );
    const none = changed(llama, { "tokenizer.ggml.model": { type: "string", value: "none" } });
    expect(() => check(none)).toThrow(/has no vocabulary of its own/);
  });

  test("a token of more than 64 KiB", () => {
    check(changed(llama, withToken(400, "x".repeat(65_536))));
    expectRefused(changed(llama, withToken(400, "x".repeat(65_537))), "tokenizer.ggml.tokens", /of 65537 bytes/);
  });

  test.each(["bos", "eos", "eot", "eom", "unknown"])("a %s id behind the last token", (name) => {
    const key = `tokenizer.ggml.${name}_token_id`;
    check(changed(llama, { [key]: u32(791) }));
    expectRefused(changed(llama, { [key]: u32(792) }), key, /is 792; it must be from 0 to 791/);
    expectRefused(changed(llama, { [key]: u32(2 ** 32 - 1) }), key, /from 0 to 791/);
  });

  test("a padding id of -1, which real files have, is no fault", () => {
    check(changed(llama, { "tokenizer.ggml.padding_token_id": u32(2 ** 32 - 1) }));
  });

  test("an id that every text needs and that is not there", () => {
    expectRefused(
      changed(bert, { "tokenizer.ggml.seperator_token_id": u32(5000) }),
      "tokenizer.ggml.seperator_token_id",
      /from 0/,
    );
    const few = { ...bert.metadata, "tokenizer.ggml.tokens": texts(["a", "b"]) };
    const short: Changes = {
      ...few,
      "tokenizer.ggml.scores": undefined,
      "tokenizer.ggml.token_type": undefined,
      "tokenizer.ggml.bos_token_id": undefined,
      "tokenizer.ggml.eos_token_id": undefined,
      "tokenizer.ggml.seperator_token_id": undefined,
      "tokenizer.ggml.unknown_token_id": u32(0),
    };
    expectRefused(changed(bert, short), "tokenizer.ggml.bos_token_id", /every text starts with that token/);
    expectRefused(
      changed(bert, { ...short, "tokenizer.ggml.bos_token_id": u32(0) }),
      "tokenizer.ggml.seperator_token_id",
      /missing/,
    );
  });

  test("no vocabulary, an empty one, or a score that is no number", () => {
    expectRefused(changed(llama, { "tokenizer.ggml.tokens": undefined }), "tokenizer.ggml.tokens", /is missing/);
    expectRefused(changed(llama, { "tokenizer.ggml.tokens": texts([]) }), "tokenizer.ggml.tokens", /is empty/);
    const nan = { type: "array", of: "float32", value: scores.with(300, Number.NaN) } as const;
    expectRefused(changed(llama, { "tokenizer.ggml.scores": nan }), "tokenizer.ggml.scores", /NaN/);
  });
});

describe("tensors that no engine computes with", () => {
  const retyped = (name: string, type: "I32" | "Q8_0" | "I64"): GgufContent => ({
    metadata: llama.metadata,
    tensors: llama.tensors.map((tensor) =>
      tensor.name === name
        ? {
            ...tensor,
            type,
            data: new Uint8Array(
              type === "Q8_0" ? 34 : tensor.shape.reduce((a, b) => a * b) * (type === "I64" ? 8 : 4),
            ),
          }
        : tensor,
    ),
  });

  test("matrices of integers and vectors in blocks", () => {
    expectRefused(
      retyped("blk.0.attn_q.weight", "I32"),
      "blk.0.attn_q.weight",
      /of type I32, which no engine computes with/,
    );
    expectRefused(retyped("output_norm.weight", "I32"), "output_norm.weight", /I32/);
    expectRefused(retyped("output_norm.weight", "Q8_0"), "output_norm.weight", /vector of type Q8_0/);
  });

  test("gaps between them", () => {
    const bytes = modelBytes({ metadata: llama.metadata, tensors: llama.tensors.toReversed() });
    const gguf = parseGguf(bytes);
    expect(() => validateForEngine({ ...gguf, tensors: gguf.tensors.toReversed() })).toThrow(
      /in the order of the table it must be at/,
    );
  });
});

describe("other files than models", () => {
  test("measurements and models of images are refused by name", () => {
    const imatrix = changed(llama, { "general.type": { type: "string", value: "imatrix" } });
    expect(() => check(imatrix)).toThrow(/holds measurements of a model/);
    const flux = {
      metadata: { "general.architecture": { type: "string", value: "flux" } as const },
      tensors: llama.tensors,
    };
    expect(() => check(flux)).toThrow(/architecture "flux", which is not one of a language model/);
  });

  test("an adapter needs no vocabulary and no sizes", () => {
    const adapter = {
      "general.type": { type: "string", value: "adapter" },
      "general.architecture": { type: "string", value: "llama" },
    } as const;
    check({ metadata: adapter, tensors: llama.tensors });
  });

  test("the sizes of an image encoder are bounded (T-GGUF-7)", () => {
    const clip = (image: number, patch: number): GgufContent => ({
      metadata: {
        "general.architecture": { type: "string", value: "clip" },
        "clip.vision.image_size": u32(image),
        "clip.vision.patch_size": u32(patch),
      },
      tensors: llama.tensors,
    });
    check(clip(336, 14));
    expectRefused(clip(2 ** 20, 14), "clip.vision.image_size", /from 1 to 16384/);
    expectRefused(clip(336, 0), "clip.vision.patch_size", /from 1 to 1024/);
    expectRefused(clip(14, 336), "clip.vision.patch_size", /more than the image size/);
  });
});
