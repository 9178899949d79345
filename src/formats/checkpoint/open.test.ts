import { describe, expect, test } from "vitest";
import {
  makeCheckpoint,
  safetensorsBytes,
  tinyConfig,
  tinyTensors,
  tinyTokenizer,
  writeFiles,
} from "../../../test/make-checkpoint.ts";
import type { TestTensor } from "../../../test/make-checkpoint.ts";
import { halves } from "../../util/half.ts";
import { openCheckpoint, openCheckpointData } from "./open.ts";
import type { Checkpoint } from "./open.ts";

function bytesOf({ file, read }: Checkpoint, name: string): Uint8Array {
  const tensor = file.tensors.find((each) => each.name === name);
  if (!tensor) throw new Error(`no ${name}`);
  const bytes = new Uint8Array(tensor.sizeBytes);
  read(tensor.offset, bytes);
  return bytes;
}

const shard = (index: number): string => `model-0000${index}-of-00002.safetensors`;

/** Tensors in two files, the second of which begins with layer 1. */
function sharded(): { readonly first: Record<string, TestTensor>; readonly second: Record<string, TestTensor> } {
  const entries = Object.entries(tinyTensors());
  const isSecond = ([name]: [string, unknown]): boolean => name.includes("layers.1");
  return {
    first: Object.fromEntries(entries.filter((entry) => !isSecond(entry))),
    second: Object.fromEntries(entries.filter(isSecond)),
  };
}

describe("a folder", () => {
  test("reads as a GGUF file: keys, names, shapes", () => {
    const { file, close } = openCheckpoint(makeCheckpoint());
    close();
    expect(Object.fromEntries(file.metadata)).toMatchObject({
      "general.architecture": "llama",
      "general.file_type": 0,
      "llama.block_count": 2,
      "llama.attention.head_count_kv": 1,
      "llama.rope.freq_base": 10_000,
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": "gpt-2",
      "tokenizer.ggml.bos_token_id": 256,
      "tokenizer.ggml.eos_token_id": 257,
      "tokenizer.ggml.add_bos_token": false,
    });
    expect(file.tensors[0]).toMatchObject({ name: "token_embd.weight", shape: [32, 264], typeName: "F32", offset: 0 });
    expect(file.tensors).toHaveLength(21);
    expect(file.tensors.every(({ offset }) => offset % 32 === 0)).toBe(true);
  });

  test("any range of bytes is that of the whole data", () => {
    const checkpoint = openCheckpoint(makeCheckpoint({ "model.safetensors": safetensorsBytes(tinyTensors("BF16")) }));
    const whole = new Uint8Array(checkpoint.file.fileBytes);
    checkpoint.read(0, whole);
    for (const [offset, length] of [
      [0, 7],
      [63, 200],
      [16_900, 9000],
      [whole.length - 5, 5],
      [1000, 0],
    ] as const) {
      const piece = new Uint8Array(length).fill(99);
      checkpoint.read(offset, piece);
      expect(piece).toEqual(whole.subarray(offset, offset + length));
    }
    expect(() => checkpoint.read(whole.length - 1, new Uint8Array(2))).toThrow(RangeError);
    checkpoint.close();
  });

  test("queries go from halves to neighbouring pairs, and back nothing is lost", () => {
    const checkpoint = openCheckpoint(makeCheckpoint());
    const source = tinyTensors()["model.layers.0.self_attn.q_proj.weight"]?.data ?? new Uint8Array();
    const made = bytesOf(checkpoint, "blk.0.attn_q.weight");
    const row = (bytes: Uint8Array, index: number): Uint8Array => bytes.subarray(index * 128, (index + 1) * 128);
    expect(row(made, 0)).toEqual(row(source, 0));
    expect(row(made, 1)).toEqual(row(source, 8));
    expect(row(made, 2)).toEqual(row(source, 1));
    expect(row(made, 16)).toEqual(row(source, 16));
    expect(row(made, 17)).toEqual(row(source, 24));
    checkpoint.close();
  });

  test("in shards, with an index or without, is the same model", () => {
    const { first, second } = sharded();
    const files = {
      "model.safetensors": undefined,
      [shard(1)]: safetensorsBytes(first),
      [shard(2)]: safetensorsBytes(second),
    };
    const index = {
      weight_map: Object.fromEntries(Object.keys(tinyTensors()).map((name) => [name, shard(name in first ? 1 : 2)])),
    };
    const data = [{}, files, { ...files, "model.safetensors.index.json": index }].map((each) => {
      const checkpoint = openCheckpoint(makeCheckpoint(each));
      const made = checkpoint.file.tensors.map(({ name }) => [
        name,
        Buffer.from(bytesOf(checkpoint, name)).toString("base64"),
      ]);
      checkpoint.close();
      return Object.fromEntries(made) as Record<string, string>;
    });
    expect(data[1]).toEqual(data[0]);
    expect(data[2]).toEqual(data[0]);
  });

  test("half floats become float32 where engines add and multiply them, and stay what they are in matrices", () => {
    const checkpoint = openCheckpoint(makeCheckpoint({ "model.safetensors": safetensorsBytes(tinyTensors("F16")) }));
    const types = Object.fromEntries(checkpoint.file.tensors.map(({ name, typeName }) => [name, typeName]));
    expect([types["output_norm.weight"], types["output.weight"]]).toEqual(["F32", "F16"]);
    const [first] = new Float32Array(bytesOf(checkpoint, "output_norm.weight").buffer);
    const stored = tinyTensors("F16")["model.norm.weight"]?.data;
    expect(first).toBe(halves[(stored?.[0] ?? 0) + (stored?.[1] ?? 0) * 256]);
    checkpoint.close();
  });

  test("as another type every matrix changes, and the name of the file type with it", () => {
    const checkpoint = openCheckpoint(makeCheckpoint(), { type: "BF16" });
    expect(checkpoint.file.metadata.get("general.file_type")).toBe(32);
    expect(checkpoint.file.tensors.find(({ name }) => name === "blk.0.ffn_up.weight")?.typeName).toBe("BF16");
    const exact = new Float32Array(
      tinyTensors()["model.layers.0.mlp.up_proj.weight"]?.data?.slice().buffer ?? new ArrayBuffer(),
    );
    const shorts = new Uint16Array(bytesOf(checkpoint, "blk.0.ffn_up.weight").buffer);
    const rounded = new Float32Array(Uint32Array.from(shorts, (bits) => bits << 16).buffer);
    expect(Math.max(...exact.map((value, index) => Math.abs(value - (rounded[index] ?? NaN))))).toBeLessThan(2 ** -8);
    checkpoint.close();
  });

  test("its data alone is at the same offsets", () => {
    const folder = makeCheckpoint();
    const [checkpoint, data] = [openCheckpoint(folder), openCheckpointData(folder)];
    expect(data.tensors).toEqual(checkpoint.file.tensors);
    checkpoint.close();
    data.close();
  });

  test("tied embeddings have no output matrix", () => {
    const { "lm_head.weight": _, ...tensors } = tinyTensors();
    for (const files of [
      { "config.json": { ...tinyConfig, tie_word_embeddings: true } },
      { "model.safetensors": safetensorsBytes(tensors) },
    ]) {
      const { file, close } = openCheckpoint(makeCheckpoint(files));
      close();
      expect(file.tensors.some(({ name }) => name === "output.weight")).toBe(false);
    }
  });

  test("templates, sampling and pooling come with it", () => {
    const { file, close } = openCheckpoint(
      makeCheckpoint({
        "tokenizer_config.json": {
          chat_template: [
            { name: "default", template: "A" },
            { name: "tool_use", template: "B" },
          ],
        },
        "generation_config.json": { do_sample: true, temperature: 0.6, top_k: 20, eos_token_id: [257, 65] },
        "1_Pooling/config.json": { pooling_mode_lasttoken: true },
      }),
    );
    close();
    const metadata = Object.fromEntries(file.metadata);
    expect(metadata).toMatchObject({
      "tokenizer.chat_template": "A",
      "tokenizer.chat_template.tool_use": "B",
      "general.sampling.top_k": 20,
      "llama.pooling_type": 3,
      "tokenizer.ggml.eos_token_id": 257,
      "tokenizer.ggml.eot_token_id": 65,
    });
    expect(metadata["general.sampling.temp"]).toBeCloseTo(0.6);
  });

  test("name and license come from its card", () => {
    const card = '---\nlicense: apache-2.0\nmodel_name: "Tiny"\n---\n# Other\nlicense: mit\n';
    const { file, close } = openCheckpoint(makeCheckpoint({ "README.md": card }));
    close();
    expect(file.metadata.get("general.license")).toBe("apache-2.0");
    expect(file.metadata.get("general.name")).toBe("Tiny");
  });

  test("a template in a file of its own wins", () => {
    const { file, close } = openCheckpoint(
      makeCheckpoint({ "tokenizer_config.json": { chat_template: "old" }, "chat_template.jinja": "new" }),
    );
    close();
    expect(file.metadata.get("tokenizer.chat_template")).toBe("new");
  });
});

function without(name: string): Record<string, TestTensor> {
  return Object.fromEntries(Object.entries(tinyTensors()).filter(([each]) => each !== name));
}

function replaced(name: string, tensor: TestTensor): Uint8Array {
  return safetensorsBytes({ ...tinyTensors(), [name]: tensor });
}

const q = "model.layers.1.self_attn.q_proj.weight";

describe("a folder is refused with what is wrong and what to do", () => {
  test.each<[string, Record<string, Uint8Array | string | object | undefined>, RegExp, RegExp]>([
    ["no config.json", { "config.json": undefined }, /no config.json/, /Fetch/],
    ["no tokenizer", { "tokenizer.json": undefined }, /no tokenizer/, /tokenizer.json/],
    ["no weights", { "model.safetensors": undefined }, /no \*.safetensors/, /GGUF/],
    [
      "pickled weights",
      { "model.safetensors": undefined, "pytorch_model.bin": "x" },
      /pytorch_model.bin.*pickle/,
      /never opens/,
    ],
    [
      "a missing shard",
      { "model.safetensors": undefined, [shard(1)]: safetensorsBytes(sharded().first) },
      /lacks 1 of the 2.*00002-of-00002/,
      /Fetch/,
    ],
    [
      "two sets of weights",
      { "model.safetensors": undefined, "a.safetensors": safetensorsBytes({}), "b.safetensors": safetensorsBytes({}) },
      /several sets/,
      /Keep one/,
    ],
    [
      "an index of another model",
      { "model.safetensors.index.json": { weight_map: { x: "model.safetensors" } } },
      /says that x is in model.safetensors/,
      /fetch/,
    ],
    [
      "an unknown architecture",
      { "config.json": { ...tinyConfig, architectures: ["MambaForCausalLM"] } },
      /"MambaForCausalLM"/,
      /LlamaForCausalLM/,
    ],
    ["no architecture", { "config.json": { ...tinyConfig, architectures: undefined } }, /architectures/, /./],
    [
      "a missing figure",
      { "config.json": { ...tinyConfig, hidden_size: undefined } },
      /hidden_size is missing/,
      /config.json/,
    ],
    [
      "a figure that is none",
      { "config.json": { ...tinyConfig, num_hidden_layers: "2" } },
      /num_hidden_layers is "2"/,
      /./,
    ],
    [
      "layers that the weights do not have",
      { "config.json": { ...tinyConfig, num_hidden_layers: 3 } },
      /no layer 2/,
      /./,
    ],
    ["more layers than it says", { "config.json": { ...tinyConfig, num_hidden_layers: 1 } }, /go on to layer 1/, /./],
    ["another activation", { "config.json": { ...tinyConfig, hidden_act: "relu" } }, /"relu"/, /./],
    [
      "a rope that is not known",
      { "config.json": { ...tinyConfig, rope_scaling: { type: "spiral" } } },
      /"spiral"/,
      /./,
    ],
    [
      "an unknown quantization",
      { "config.json": { ...tinyConfig, quantization_config: { quant_method: "magic" } } },
      /"magic"/,
      /GGUF/,
    ],
    ["weights of doubles", { "model.safetensors": replaced(q, { dtype: "F64", shape: [32, 32] }) }, /F64/, /float32/],
    ["weights of integers", { "model.safetensors": replaced(q, { dtype: "I32", shape: [32, 32] }) }, /I32/, /./],
    ["rows that are no heads", { "model.safetensors": replaced(q, { dtype: "F32", shape: [33, 32] }) }, /33 rows/, /./],
    [
      "a tensor that has no place",
      { "model.safetensors": replaced("model.layers.0.magic.weight", { dtype: "F32", shape: [1] }) },
      /magic.*no place/,
      /./,
    ],
    [
      "no embeddings",
      { "model.safetensors": safetensorsBytes(without("model.embed_tokens.weight")) },
      /embeddings/,
      /./,
    ],
    ["a tokenizer that is no JSON", { "tokenizer.json": "{" }, /tokenizer.json is not JSON/, /./],
    [
      "more tokens than rows",
      { "tokenizer.json": { ...tinyTokenizer, model: { type: "BPE", vocab: { a: 0, b: 264 }, merges: [] } } },
      /265 tokens/,
      /./,
    ],
  ])("%s", (_, files, message, hint) => {
    expect(() => openCheckpoint(makeCheckpoint(files))).toThrow(
      expect.objectContaining({ message: expect.stringMatching(message), hint: expect.stringMatching(hint) }),
    );
  });

  test("experts of two types cannot be one tensor", () => {
    const expert = (dtype: "F32" | "F16", index: number): [string, TestTensor] => [
      `model.layers.0.block_sparse_moe.experts.${index}.w1.weight`,
      { dtype, shape: [16, 32] },
    ];
    const tensors = { ...tinyTensors(), ...Object.fromEntries([expert("F32", 0), expert("F16", 1)]) };
    const folder = makeCheckpoint({
      "config.json": {
        ...tinyConfig,
        architectures: ["MixtralForCausalLM"],
        num_local_experts: 2,
        num_experts_per_tok: 1,
      },
      "model.safetensors": safetensorsBytes(tensors),
    });
    expect(() => openCheckpoint(folder)).toThrow(/ffn_gate_exps.*F32.*F16/);
    expect(() => openCheckpoint(folder, { type: "F16" }).close()).not.toThrow();
  });

  test("a folder that is not there", () => {
    expect(() => openCheckpoint("/no/such/folder")).toThrow(expect.objectContaining({ code: "model_not_found" }));
  });

  test("a file cut short is noticed while it is read", () => {
    const folder = makeCheckpoint();
    const { file, read, close } = openCheckpoint(folder);
    writeFiles({ "model.safetensors": safetensorsBytes({}) }, folder);
    expect(() => read(0, new Uint8Array(file.fileBytes))).toThrow(expect.objectContaining({ code: "model_malformed" }));
    close();
  });
});
