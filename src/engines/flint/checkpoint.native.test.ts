import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import {
  makeCheckpoint,
  safetensorsBytes,
  temporaryFolder,
  tinyTensors,
  writeFiles,
} from "../../../test/make-checkpoint.ts";
import type { TestTensor } from "../../../test/make-checkpoint.ts";
import { makeTinyLlama } from "../../../test/make-model.ts";
import { convert } from "../../compress/convert/convert.ts";
import { openSafetensors } from "../../formats/safetensors/read.ts";
import { inspectGguf } from "../../models/inspect.ts";
import type { LoadedModel, LoadOptions } from "../../spec/engine.ts";
import { findFixture } from "./__fixtures__/fixtures.ts";
import type { GenerateFixture } from "./__fixtures__/fixtures.ts";
import { createLocalFlint } from "./local.ts";

/** A folder that transformers has written. Made by scripts/golden/checkpoints.py. */
function writeFolder(name: string): string {
  const url = new URL(`../../formats/checkpoint/__fixtures__/${name}.json.gz`, import.meta.url);
  const files = JSON.parse(gunzipSync(readFileSync(url)).toString()) as Record<string, string>;
  return writeFiles(
    Object.fromEntries(Object.entries(files).map(([file, text]) => [file, Buffer.from(text, "base64")])),
  );
}

async function load(folder: string, file: string, options: LoadOptions = {}): Promise<LoadedModel> {
  const path = join(folder, file);
  const model = { name: "tiny", path, info: await inspectGguf(path) };
  const loaded = await createLocalFlint().load(model, { contextTokens: 256, threads: 2, ...options });
  onTestFinished(() => loaded.dispose());
  return loaded;
}

async function greedy(model: LoadedModel, prompt: readonly number[], maxTokens: number): Promise<number[]> {
  const tokens: number[] = [];
  const request = { prompt, sampling: { temperature: 0 }, maxTokens, ignoreEos: true };
  for await (const event of model.generate?.(request) ?? [])
    if (event.type === "token-delta") tokens.push(...event.tokens);
  return tokens;
}

test.each([
  ["llama", "model-00001-of-00004.safetensors"],
  ["gemma3", "model.safetensors"],
  ["qwen2moe", "model.safetensors"],
])("a folder that transformers has written answers as transformers does: %s", async (name, file) => {
  const { prompts } = findFixture(name) as GenerateFixture;
  const model = await load(writeFolder(name), file);
  for (const { tokens, greedy: expected } of prompts) {
    expect(await greedy(model, tokens, expected.length)).toEqual(expected);
  }
});

test("weights that are rounded while they are loaded take less memory, and the model still answers", async () => {
  const folder = makeCheckpoint({ "model.safetensors": safetensorsBytes(tinyTensors("F32")) });
  const sizes: number[] = [];
  for (const quantize of [undefined, "q8", "q4"] as const) {
    const model = await load(folder, "model.safetensors", {
      contextTokens: 64,
      parallel: 1,
      ...(quantize && { quantize }),
    });
    sizes.push(model.memory().ramBytes);
    expect(await greedy(model, [256, 97, 98], 4)).toHaveLength(4);
  }
  expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
  expect(new Set(sizes).size).toBe(3);
});

/** A folder with a llama of random weights, and what is in it. */
async function makeFolder(): Promise<{ readonly folder: string; readonly tensors: Record<string, TestTensor> }> {
  const source = await makeTinyLlama(join(temporaryFolder(), "tiny.gguf"));
  const folder = join(temporaryFolder(), "tiny");
  await convert({ source, out: folder });
  const { file, read, close } = openSafetensors(join(folder, "model.safetensors"));
  const entries = [...file.tensors.values()].map(({ name, dtype, shape, offset, sizeBytes }): [string, TestTensor] => {
    const data = new Uint8Array(sizeBytes);
    read(offset, data);
    return [name, { dtype, shape, data }];
  });
  close();
  return { folder, tensors: Object.fromEntries(entries) };
}

test("an adapter of PEFT gives what its weights give that were added to the model's", async () => {
  const { folder, tensors } = await makeFolder();
  const module = "model.layers.0.self_attn.q_proj";
  const [rank, width] = [2, 64];
  const a = Float32Array.from({ length: rank * width }, (_, index) => Math.sin(index));
  const b = Float32Array.from({ length: width * rank }, (_, index) => Math.cos(3 * index));
  const base = new Float32Array(tensors[`${module}.weight`]!.data!.slice().buffer);
  // W + alpha / rank · B A
  const merged = base.map((value, index) => {
    const [row, column] = [Math.floor(index / width), index % width];
    return value + 2 * (b[row * rank]! * a[column]! + b[row * rank + 1]! * a[width + column]!);
  });
  const bytes = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer.slice(0));
  const tensor = (shape: readonly number[], values: Float32Array): TestTensor => ({
    dtype: "F32",
    shape,
    data: bytes(values),
  });
  const adapter = writeFiles({
    "adapter_config.json": { peft_type: "LORA", r: rank, lora_alpha: 4, bias: "none" },
    "adapter_model.safetensors": safetensorsBytes({
      [`base_model.model.${module}.lora_A.weight`]: tensor([rank, width], a),
      [`base_model.model.${module}.lora_B.weight`]: tensor([width, rank], b),
    }),
  });
  const options = { contextTokens: 64, parallel: 1 };
  const scores = async (loaded: Promise<LoadedModel>): Promise<number[]> => {
    const { entries } = await (await loaded).score!({ prompt: [1, 97, 98, 99, 100, 101], topLogprobs: 0 });
    return entries.map(({ logprob }) => logprob);
  };
  const plain = await scores(load(folder, "model.safetensors", options));
  const ours = await scores(load(folder, "model.safetensors", { ...options, adapters: [{ path: adapter }] }));
  const whole = { ...tensors, [`${module}.weight`]: tensor([width, width], merged) };
  writeFiles({ "model.safetensors": safetensorsBytes(whole) }, folder);
  const theirs = await scores(load(folder, "model.safetensors", options));
  expect(Math.max(...ours.map((value, index) => Math.abs(value - theirs[index]!)))).toBeLessThan(1e-3);
  expect(Math.max(...ours.map((value, index) => Math.abs(value - plain[index]!)))).toBeGreaterThan(1e-2);
});
