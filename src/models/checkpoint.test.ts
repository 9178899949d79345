import { mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { startHub, type Hub, type HubOptions } from "../../test/hub-server.ts";
import {
  makeCheckpoint,
  safetensorsBytes,
  tinyConfig,
  tinyTensors,
  tinyTokenizer,
  writeFiles,
} from "../../test/make-checkpoint.ts";
import { temporaryFolder, temporaryLibrary, type TemporaryLibrary } from "../../test/temporary-library.ts";
import { detectFormat } from "../formats/detect.ts";
import { inspectGguf } from "./inspect.ts";

const repo = "maker/tiny";
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const weights = safetensorsBytes(tinyTensors());
const files = {
  "README.md": bytes("tiny"),
  "config.json": bytes(tinyConfig),
  "tokenizer.json": bytes(tinyTokenizer),
  "1_Pooling/config.json": bytes({ pooling_mode_mean_tokens: true }),
  "model.safetensors": weights,
  "pytorch_model.bin": bytes("pickle"),
  "original/consolidated.safetensors": bytes("x"),
};

async function hubWith(repos: HubOptions["files"] = { [repo]: files }): Promise<{ hub: Hub } & TemporaryLibrary> {
  const hub = await startHub({ files: repos });
  onTestFinished(async () => {
    await hub.close();
  });
  const real = { detect: detectFormat, inspect: inspectGguf };
  return { hub, ...(await temporaryLibrary({ ...real, settings: { hub: hub.url } })) };
}

describe("a repository with SafeTensors", () => {
  test("is pulled with all files that belong to the model, and no others", async () => {
    const { library, entries } = await hubWith();
    const model = await library.pull(`hf:${repo}`);
    expect(model).toMatchObject({ name: `hf.co/${repo}:safetensors`, format: "safetensors" });
    expect(model.files.map(({ name, role }) => [name, role])).toEqual([
      ["model.safetensors", "weights"],
      ["1_Pooling/config.json", "config"],
      ["README.md", "other"],
      ["config.json", "config"],
      ["tokenizer.json", "tokenizer"],
    ]);
    expect(model.files.every(({ sha256, path, name }) => sha256 !== undefined && path.endsWith(name))).toBe(true);
    expect(readFileSync(model.files[0]?.path ?? "")).toEqual(weights);
    expect(await library.inspect(model)).toMatchObject({
      format: "safetensors",
      architecture: "llama",
      quantization: "F32",
      pooling: "mean",
      vocabularySize: 264,
    });
    expect((await library.resolve(`hf:${repo}`)).id).toBe(model.id);
    expect(await library.verify(model.name)).toMatchObject(Array.from({ length: 5 }, () => ({ status: "ok" })));
    await library.remove(model.name);
    expect([await entries("blobs"), await entries("views")]).toEqual([[], []]);
  });

  test("keeps a folder of names that comes back when it is gone", async () => {
    const { library, dataFolder } = await hubWith();
    const model = await library.pull(`hf:${repo}`);
    rmSync(join(dataFolder, "models/views"), { recursive: true });
    const [first] = (await library.resolve(model.name)).files;
    expect(readFileSync(first?.path ?? "")).toEqual(weights);
    expect((await readdir(dirname(first?.path ?? ""))).sort()).toEqual([
      "1_Pooling",
      "README.md",
      "config.json",
      "model.safetensors",
      "tokenizer.json",
    ]);
  });

  test("in a folder of its own is named by its file", async () => {
    const inside = Object.fromEntries(Object.entries(files).map(([name, content]) => [`small/${name}`, content]));
    const { library } = await hubWith({ [repo]: inside });
    const model = await library.pull(`hf:${repo}/small/model.safetensors`);
    expect(model.files.map(({ name }) => name)).toContain("config.json");
    expect(await library.inspect(model)).toMatchObject({ architecture: "llama" });
  });

  test("with GGUF files beside it is pulled as GGUF", async () => {
    const { library } = await hubWith({ [repo]: { ...files, "tiny-Q4_0.gguf": bytes("no model") } });
    await expect(library.pull(`hf:${repo}`)).rejects.toThrow(/tiny-Q4_0.gguf/);
  });

  test("that is damaged is not installed", async () => {
    const { library, entries } = await hubWith({
      [repo]: { ...files, "model.safetensors": weights.subarray(0, weights.length - 4) },
    });
    await expect(library.pull(`hf:${repo}`)).rejects.toMatchObject({ code: "model_malformed" });
    expect(await entries("manifests")).toEqual([]);
  });

  test("of pickles is refused by name", async () => {
    const { library } = await hubWith({
      [repo]: { "config.json": bytes(tinyConfig), "pytorch_model.bin": bytes("x") },
    });
    await expect(library.pull(`hf:${repo}`)).rejects.toMatchObject({
      hint: expect.stringMatching(/pytorch_model.bin.*pickle/),
    });
  });
});

describe("a folder of one's own", () => {
  test("is a model, by itself or by its weights", async () => {
    const { library } = await hubWith();
    const folder = makeCheckpoint({ "optimizer.pt": "x" });
    for (const text of [folder, join(folder, "model.safetensors")]) {
      const model = await library.resolve(text);
      expect(model).toMatchObject({ name: folder, format: "safetensors", origin: "path" });
      expect(model.files.map(({ name }) => name)).toEqual(["model.safetensors", "config.json", "tokenizer.json"]);
      expect((await library.inspect(model)).blockCount).toBe(2);
    }
  });

  test("with pickles is refused by name", async () => {
    const { library } = await hubWith();
    const folder = writeFiles({ "config.json": tinyConfig, "pytorch_model-00001-of-00002.bin": "x" });
    await expect(library.resolve(folder)).rejects.toThrow(/pytorch_model-00001-of-00002.bin.*pickle/);
  });
});

test("a snapshot in the hub's cache is adopted where it is, links and all", async () => {
  const commit = "a".repeat(40);
  const cache = await temporaryFolder();
  const snapshot = join(cache, "models--maker--tiny/snapshots", commit);
  const folder = makeCheckpoint();
  mkdirSync(snapshot, { recursive: true });
  for (const name of ["config.json", "tokenizer.json", "model.safetensors"])
    symlinkSync(join(folder, name), join(snapshot, name));
  const foreign = { ollama: "/none", lmstudio: [], huggingface: cache, llamaCpp: "/none" };
  const { library } = await temporaryLibrary({ detect: detectFormat, inspect: inspectGguf, foreign });
  const [model] = await library.list();
  expect(model).toMatchObject({ name: "hf.co/maker/tiny:safetensors", format: "safetensors", origin: "huggingface" });
  expect((await library.resolve("hf:maker/tiny")).id).toBe(model?.id);
  expect(await library.inspect(model!)).toMatchObject({ architecture: "llama" });
});
