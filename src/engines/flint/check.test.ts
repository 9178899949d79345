import { describe, expect, it } from "vitest";
import { modelBytes, tinyBert, tinyLlama } from "../../../test/make-model.ts";
import type { TinyLlamaOptions } from "../../../test/make-model.ts";
import { HearthError } from "../../error.ts";
import type { GgmlTypeName } from "../../formats/gguf/ggml.ts";
import { ggmlTypesById } from "../../formats/gguf/ggml.ts";
import { parseGguf } from "../../formats/gguf/parse.ts";
import type { GgufFile, GgufTensor, GgufValue } from "../../formats/gguf/types.ts";
import { fixtureBytes, listFixtures } from "./__fixtures__/fixtures.ts";
import { matrixTypes } from "./architectures/tensors.ts";
import { checkModel } from "./check.ts";
import { codecOf } from "./weights/codecs/table.ts";

const fixtures = listFixtures();

function open(name: string): GgufFile {
  const fixture = fixtures.find((one) => one.name === name);
  if (!fixture) throw new Error(`no fixture ${name}`);
  return parseGguf(fixtureBytes(fixture), { name: `${name}.gguf` });
}

const llama = parseGguf(modelBytes(tinyLlama()), { name: "tiny.gguf" });

function tiny(options: TinyLlamaOptions): GgufFile {
  return parseGguf(modelBytes(tinyLlama(options)), { name: "tiny.gguf" });
}

/** The file with other keys; `undefined` removes one. */
function withKeys(file: GgufFile, keys: Readonly<Record<string, GgufValue | undefined>>): GgufFile {
  const metadata = new Map(file.metadata);
  for (const [key, value] of Object.entries(keys)) {
    if (value === undefined) metadata.delete(key);
    else metadata.set(key, value);
  }
  return { ...file, metadata };
}

function withTensors(file: GgufFile, change: (tensor: GgufTensor) => GgufTensor | undefined): GgufFile {
  return { ...file, tensors: file.tensors.flatMap((tensor) => change(tensor) ?? []) };
}

function without(file: GgufFile, name: string): GgufFile {
  return withTensors(file, (tensor) => (tensor.name === name ? undefined : tensor));
}

function withTensor(file: GgufFile, name: string, shape: readonly number[], typeName: GgmlTypeName = "F32"): GgufFile {
  return { ...file, tensors: [...file.tensors, { name, shape, typeName, type: 0, offset: 0, sizeBytes: 4 }] };
}

/** The error; undefined: the file was accepted. */
function refusal(file: GgufFile): HearthError | undefined {
  try {
    checkModel(file);
    return undefined;
  } catch (error) {
    if (error instanceof HearthError) return error;
    throw error;
  }
}

function expectMalformed(file: GgufFile, field: string, message: RegExp): void {
  expect(refusal(file)).toMatchObject({ code: "model_malformed", message: expect.stringMatching(message) });
  expect(refusal(file)?.details).toMatchObject({ field });
}

describe("a good model", () => {
  it.each(["F32", "F16", "Q8_0", "Q4_0"] as const)("is accepted with weights of type %s", (type) => {
    expect(checkModel(tiny({ type, embedding: 64 })).hyperparameters).toMatchObject({ embedding: 64, headWidth: 16 });
  });

  it("may be an encoder", () => {
    for (const pooling of ["mean", "cls", "rank"] as const) {
      const file = parseGguf(modelBytes(tinyBert({ pooling })));
      expect(checkModel(file).hyperparameters).toMatchObject({ pooling, causal: false });
    }
  });

  it("may hold the table of frequencies that old converters wrote", () => {
    expect(refusal(withTensor(llama, "blk.0.attn_rot_embd.weight", [8]))).toBeUndefined();
  });
});

describe("tensors", () => {
  it("that are missing are named with the shape they would have", () => {
    expectMalformed(
      without(llama, "blk.1.ffn_up.weight"),
      "blk.1.ffn_up.weight",
      /is missing; its shape would be 64 × 128/,
    );
    expectMalformed(without(llama, "output_norm.weight"), "output_norm.weight", /is missing/);
  });

  it("of another shape are named with both shapes", () => {
    const wide = withTensors(llama, (tensor) =>
      tensor.name === "blk.0.attn_k.weight" ? { ...tensor, shape: [64, 33] } : tensor,
    );
    expectMalformed(wide, "blk.0.attn_k.weight", /has the shape 64 × 33; it must be 64 × 32/);
  });

  it("whose rows are not the tokens of the vocabulary are refused", () => {
    const tokens = tiny({ vocabulary: 2000 }).metadata.get("tokenizer.ggml.tokens");
    expectMalformed(withKeys(llama, { "tokenizer.ggml.tokens": tokens }), "token_embd.weight", /it must be 64 × 2000/);
  });

  it("that the forward pass would leave out make the model one for another engine", () => {
    const unknown: [GgufFile, string, number[]][] = [
      [llama, "blk.0.attn_q_norm.weight", [16]],
      [llama, "blk.2.attn_q.weight", [64, 64]],
      [open("qwen3"), "blk.0.attn_q.bias", [128]],
      [open("gemma3"), "blk.0.ffn_up.bias", [32]],
      [open("qwen2"), "rope_freqs.weight", [8]],
      [open("olmo2"), "blk.0.attn_norm.weight", [64]],
      [open("llama"), "output.bias", [288]],
      [open("bert-mean"), "blk.0.attn_q_norm.weight", [64]],
    ];
    for (const [file, name, shape] of unknown) {
      const error = refusal(withTensor(file, name, shape));
      expect(error).toMatchObject({ code: "model_unsupported", details: { field: name } });
      expect(error?.message).toContain(name);
    }
  });

  it("of types that flint does not read make the model one for another engine", () => {
    const types = [...ggmlTypesById.values()].map((type) => type.name).filter((name) => !matrixTypes.has(name));
    expect(types).toEqual(expect.arrayContaining(["Q8_1", "Q8_K", "I8", "F64"]));
    for (const typeName of types) {
      const name = "blk.0.ffn_down.weight";
      const file = withTensors(llama, (tensor) => (tensor.name === name ? { ...tensor, typeName } : tensor));
      expect(refusal(file)).toMatchObject({ code: "model_unsupported", details: { field: name, type: typeName } });
    }
  });

  it("are read if they have a codec", () => {
    const names = [...ggmlTypesById.values()].map((type) => type.name);
    const floats = new Set<GgmlTypeName>(["F32", "F16", "BF16"]);
    expect(new Set(names.filter((name) => floats.has(name) || codecOf(name)))).toEqual(matrixTypes);
  });

  const optional = /\.bias$|^output\.weight$|_types|rope_freqs|cls\.weight/;

  it.each(fixtures)("of $name are all needed, in their shape", (fixture) => {
    const file = open(fixture.name);
    expect(refusal(file)).toBeUndefined();
    const names = file.tensors.map((tensor) => tensor.name);
    const isOptional = (name: string): boolean =>
      optional.test(name) || (fixture.architecture === "stablelm" && /_[qk]_norm/.test(name));
    const accepted = names.filter((name) => refusal(without(file, name))?.code !== "model_malformed");
    expect(accepted.filter((name) => !isOptional(name))).toEqual([]);
    expect(names.filter((name) => refusal(withLonger(file, name))?.code !== "model_malformed")).toEqual([]);
  });
});

function withLonger(file: GgufFile, name: string): GgufFile {
  return withTensors(file, (tensor) =>
    tensor.name === name ? { ...tensor, shape: [(tensor.shape[0] ?? 0) + 2, ...tensor.shape.slice(1)] } : tensor,
  );
}

describe("figures", () => {
  const absurd: [string, GgufFile, Readonly<Record<string, GgufValue | undefined>>][] = [
    ["llama.attention.head_count_kv", llama, { "llama.attention.head_count_kv": 3 }],
    ["llama.attention.head_count_kv", llama, { "llama.attention.head_count_kv": 0 }],
    ["llama.attention.head_count", llama, { "llama.attention.head_count": 0 }],
    ["llama.attention.head_count", llama, { "llama.attention.head_count": undefined }],
    ["llama.block_count", llama, { "llama.block_count": 0 }],
    ["llama.rope.dimension_count", llama, { "llama.rope.dimension_count": 18 }],
    ["llama.rope.dimension_count", llama, { "llama.rope.dimension_count": 0 }],
    ["llama.rope.freq_base", llama, { "llama.rope.freq_base": 0 }],
    ["llama.attention.layer_norm_rms_epsilon", llama, { "llama.attention.layer_norm_rms_epsilon": undefined }],
    ["llama.expert_used_count", open("mixtral"), { "llama.expert_used_count": 5 }],
    ["llama.expert_used_count", open("mixtral"), { "llama.expert_used_count": 0 }],
    ["gemma2.attention.sliding_window", open("gemma2"), { "gemma2.attention.sliding_window": 0 }],
    ["granite.logit_scale", open("granite"), { "granite.logit_scale": 0 }],
    [
      "llama.rope.scaling.original_context_length",
      open("llama-yarn"),
      { "llama.rope.scaling.original_context_length": 0 },
    ],
  ];

  it.each(absurd)("that make no sense are refused: %s", (field, file, keys) => {
    expectMalformed(withKeys(file, keys), field, /\d|missing/);
  });

  it("of a list that has another length than the layers are refused", () => {
    const heads = { type: "uint32", length: 3, numbers: Uint32Array.of(4, 4, 4) } as const;
    const file = withKeys(llama, { "llama.attention.head_count": heads });
    expectMalformed(file, "llama.attention.head_count", /has 3 elements, but there are 2 layers/);
  });

  it.each(fixtures)("of $name may be anything, and the error is a typed one", (fixture) => {
    const file = open(fixture.name);
    const changed = [...file.metadata].flatMap(([key, value]) =>
      typeof value === "number" && key.startsWith(`${fixture.architecture}.`)
        ? [0, 1, value + 1, 511].map((other) => withKeys(file, { [key]: other }))
        : [],
    );
    expect(() => changed.map(refusal)).not.toThrow();
  });
});

it("an unknown architecture is named, with those that are known", () => {
  const error = refusal(withKeys(llama, { "general.architecture": "mamba" }));
  expect(error).toMatchObject({ code: "model_unsupported", message: expect.stringContaining('"mamba"') });
  expect(error?.hint).toContain("qwen3moe");
});

it("a model that ranks texts without being an encoder is one for another engine", () => {
  expect(refusal(tiny({ poolingType: "rank" }))?.code).toBe("model_unsupported");
});
