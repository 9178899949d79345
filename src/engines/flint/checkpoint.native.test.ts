import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { makeCheckpoint, safetensorsBytes, tinyTensors, writeFiles } from "../../../test/make-checkpoint.ts";
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
