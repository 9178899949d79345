import { expect, test } from "vitest";
import { makeCheckpoint, safetensorsBytes, writeFiles } from "../../../test/make-checkpoint.ts";
import type { TestTensor } from "../../../test/make-checkpoint.ts";
import { openCheckpoint } from "./open.ts";
import { openPeft } from "./peft.ts";
import type { PeftAdapter } from "./peft.ts";

const rank = 2;

function floats(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

/** [n, k] with a number in each place that tells where it is. */
function matrix(n: number, k: number): TestTensor {
  return { dtype: "F32", shape: [n, k], data: floats(Array.from({ length: n * k }, (_, index) => index)) };
}

const q = "base_model.model.model.layers.1.self_attn.q_proj";
const plain = { peft_type: "LORA", r: rank, lora_alpha: 8, bias: "none", target_modules: ["q_proj"] };

function open(config: object = plain, tensors: Record<string, TestTensor> = pair(q)): PeftAdapter {
  const { file, close } = openCheckpoint(makeCheckpoint());
  close();
  const adapter = writeFiles({ "adapter_config.json": config, "adapter_model.safetensors": safetensorsBytes(tensors) });
  return openPeft(adapter, file);
}

function pair(module: string): Record<string, TestTensor> {
  return { [`${module}.lora_A.weight`]: matrix(rank, 32), [`${module}.lora_B.weight`]: matrix(32, rank) };
}

function valuesOf({ file, read }: PeftAdapter, name: string): number[] {
  const tensor = file.tensors.find((each) => each.name === name);
  const bytes = new Uint8Array(tensor?.sizeBytes ?? 0);
  if (tensor) read(tensor.offset, bytes);
  return [...new Float32Array(bytes.buffer)];
}

test("an adapter of PEFT reads as one of GGUF, its rows in the order of the model's", () => {
  const adapter = open();
  expect(Object.fromEntries(adapter.file.metadata)).toEqual({
    "general.type": "adapter",
    "general.architecture": "llama",
    "adapter.type": "lora",
    "adapter.lora.alpha": 8,
  });
  expect(adapter.file.tensors.map(({ name, shape }) => [name, shape])).toEqual([
    ["blk.1.attn_q.weight.lora_a", [32, rank]],
    ["blk.1.attn_q.weight.lora_b", [rank, 32]],
  ]);
  // Row 1 of the model's queries in GGUF is row 8 of the checkpoint's: heads of 16 are halves there and pairs here.
  expect(valuesOf(adapter, "blk.1.attn_q.weight.lora_b").slice(0, 6)).toEqual([0, 1, 16, 17, 2, 3]);
  expect(valuesOf(adapter, "blk.1.attn_q.weight.lora_a")).toEqual(Array.from({ length: 64 }, (_, index) => index));
  adapter.close();
});

test.each<[string, object, number]>([
  ["rank-stabilized", { ...plain, use_rslora: true }, 8 / Math.sqrt(rank)],
  ["with an alpha of its own", { ...plain, alpha_pattern: { "layers.1.self_attn.q_proj": 6 } }, 3],
  ["with an alpha of others", { ...plain, alpha_pattern: { k_proj: 6 } }, 4],
])("a factor that is not that of all is in the matrix: %s", (_, config, factor) => {
  const adapter = open(config);
  expect(adapter.file.metadata.has("adapter.lora.alpha")).toBe(false);
  expect(valuesOf(adapter, "blk.1.attn_q.weight.lora_b")[1]).toBeCloseTo(factor, 5);
  adapter.close();
});

test.each<[string, object, Record<string, TestTensor>, RegExp]>([
  ["another method", { ...plain, peft_type: "IA3" }, pair(q), /"IA3"/],
  ["DoRA", { ...plain, use_dora: true }, pair(q), /use_dora/],
  ["biases", { ...plain, bias: "all" }, pair(q), /"all"/],
  ["whole modules beside it", plain, { ...pair(q), "base_model.model.lm_head.weight": matrix(2, 2) }, /no lora_A/],
  ["a matrix that the model does not have", plain, pair(q.replace("q_proj", "magic")), /not known here/],
  ["rows that are no heads", plain, { [`${q}.lora_B.weight`]: matrix(33, rank) }, /33 rows/],
  ["a vector", plain, { [`${q}.lora_A.weight`]: { dtype: "F32", shape: [32] } }, /1 dimensions/],
])("an adapter with %s is refused", (_, config, tensors, message) => {
  expect(() => open(config, tensors)).toThrow(message);
});
