/** Damaged models that the reader lets through, in LiteRT: its process may die, ours does not. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { mutateTflite } from "../../../test/mutate-tflite.ts";
import { testPack } from "../../../test/pack.ts";
import { fetchTflite } from "../../../test/tflite-house.ts";
import { HearthError } from "../../error.ts";
import { readTflite } from "../../formats/tflite/read.ts";
import { inspectGguf } from "../../models/inspect.ts";
import { createTfliteEngine } from "./engine.ts";
import { tfliteLibrary } from "./setup.ts";

const folder = await testPack("tflite");
const wanted = 8;

it.skipIf(folder === undefined)("damaged models are refused, or run, or end their own process", async () => {
  const place = await mkdtemp(join(tmpdir(), "hearth-tflite-"));
  try {
    const original = await readFile((await fetchTflite("selfie-segmentation:general")).path);
    const mutants = mutateTflite(original, 11);
    const engine = createTfliteEngine({
      env: { PATH: process.env["PATH"] ?? "" },
      library: async () => await Promise.resolve(tfliteLibrary(folder ?? "")),
    });
    const path = join(place, "mutant.tflite");
    const outcomes: string[] = [];
    for (let tries = 0; tries < 1000 && outcomes.length < wanted; tries++) {
      await writeFile(path, mutants.next().value);
      if (accepts(path)) outcomes.push(await outcome(engine, path));
    }
    expect(outcomes).toHaveLength(wanted);
    expect(outcomes).toContain("ran");
  } finally {
    await rm(place, { recursive: true });
  }
});

function accepts(path: string): boolean {
  try {
    readTflite(path);
    return true;
  } catch (error) {
    if (error instanceof HearthError) return false;
    throw error;
  }
}

async function outcome(engine: ReturnType<typeof createTfliteEngine>, path: string): Promise<string> {
  try {
    const model = await engine.load({ name: "mutant", path, info: await inspectGguf(path) }, { threads: 1 });
    try {
      const [input] = (await inspectGguf(path)).signature?.inputs ?? [];
      const shape = input?.shape.map(Number) ?? [];
      const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
      await model.perform?.("infer", { inputs: { [input?.name ?? ""]: { type: "float32", shape, data } } });
      return "ran";
    } finally {
      await model.dispose();
    }
  } catch (error) {
    // Nothing but typed errors comes through.
    if (!(error instanceof HearthError)) throw error;
    return error.code;
  }
}
