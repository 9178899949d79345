import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { modelBytes, tinyLlama, type TinyLlamaOptions } from "../../test/make-model.ts";
import { inspectGguf } from "../models/inspect.ts";
import type { LoadOptions } from "../spec/engine.ts";
import type { InstalledModel } from "../spec/model.ts";
import type { EngineQuestion } from "./contract.ts";
import { findVision } from "./flint/vision/__fixtures__/fixtures.ts";
import { createEngines } from "./registry.ts";

async function tinyModel(options: TinyLlamaOptions): Promise<Omit<EngineQuestion, "load">> {
  const folder = await mkdtemp(join(tmpdir(), "hearth-registry-"));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  const path = join(folder, "tiny.gguf");
  await writeFile(path, modelBytes(tinyLlama(options)));
  const model: InstalledModel = {
    name: "tiny",
    id: path,
    format: "gguf",
    files: [{ role: "weights", name: "tiny.gguf", sizeBytes: 1, path }],
    sizeBytes: 1,
    origin: "path",
    modifiedAt: new Date(0),
  };
  return { model, info: await inspectGguf(path) };
}

const cpu: LoadOptions = { device: "cpu" };

describe("the engines of this version", () => {
  it("are flint for a llama on the CPU, with the size of its weights as flint packs them", async () => {
    const question = await tinyModel({ type: "Q8_0", embedding: 64 });
    const choice = await createEngines({ dataFolder: "/nowhere/hearth" }).choose({ ...question, load: cpu });
    expect(choice).toMatchObject({ engine: "flint", device: "cpu" });
    // A block of 32 codes has a scale of 2 bytes in the file and in memory; rows are filled up to eight.
    const packed = choice.footprint?.weightBytes ?? 0;
    expect(packed).toBeGreaterThanOrEqual(question.info.weightBytes);
    expect(packed).toBeLessThan(question.info.weightBytes * 1.05);
  });

  it("count the projector beside a model, or the one that is asked for instead, where flint runs it", async () => {
    const { name, width, bytes } = findVision("llava");
    const question = await tinyModel({ embedding: width });
    const path = join(question.model.id, "..", `${name}.gguf`);
    await writeFile(path, bytes);
    const beside = { role: "projector", name: "mmproj.gguf", sizeBytes: bytes.length, path } as const;
    const seeing = { ...question, model: { ...question.model, files: [...question.model.files, beside] } };
    const engines = createEngines({ dataFolder: "/nowhere/hearth" });
    const picturesOf = async (asked: EngineQuestion) => (await engines.choose(asked)).footprint?.pictures;
    const found = await picturesOf({ ...seeing, load: cpu });
    expect(found?.weightBytes).toBeGreaterThan(bytes.length / 2);
    expect(await picturesOf({ ...question, load: cpu })).toBeUndefined();
    expect(await picturesOf({ ...question, load: { ...cpu, projector: { path } } })).toEqual(found);
  });

  it("are llama for a header that flint refuses on a closer look; the reason is said once", async () => {
    const notices: string[] = [];
    const engines = createEngines({ dataFolder: "/nowhere/hearth", onNotice: (line) => notices.push(line) });
    const { model, info } = await tinyModel({ architecture: "qwen3" });
    for (let turn = 0; turn < 2; turn++) {
      const choice = await engines.choose({ model, info, load: cpu });
      expect(choice.engine).toBe("llama");
      expect(choice.reasons[1]).toMatch(/^not flint: tiny: blk\.0\.attn_q_norm/);
    }
    expect(notices).toEqual([
      expect.stringMatching(/^tiny runs on llama\.cpp, not on flint: tiny: blk\.0\.attn_q_norm/),
    ]);
    await expect(engines.choose({ model, info, load: { ...cpu, engine: "flint" } })).rejects.toMatchObject({
      code: "model_malformed",
    });
  });

  it("are opened by name, and no others are", async () => {
    const engines = createEngines({ dataFolder: "/nowhere/hearth" });
    await expect(engines.get("fake")).rejects.toMatchObject({ code: "engine_missing" });
    for (const name of ["llama", "flint", "onnx", "tflite"] as const) expect((await engines.get(name)).name).toBe(name);
  });
});
