import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { modelBytes, tinyBert, tinyLlama } from "../../../test/make-model.ts";
import { mutateModel } from "../../../test/mutate-model.ts";
import { HearthError } from "../../error.ts";
import { parseGguf } from "./parse.ts";
import { validateForEngine } from "./validate.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-fuzz-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function accepts(bytes: Uint8Array): boolean {
  try {
    validateForEngine(parseGguf(bytes));
    return true;
  } catch (error) {
    if (error instanceof HearthError) return false;
    throw error;
  }
}

/** Paths of damaged models that the validator lets through. */
async function survivors(): Promise<string[]> {
  const models = [
    { content: tinyLlama({ layers: 1, embedding: 32 }), count: 36 },
    { content: tinyBert({ layers: 1, embedding: 32, context: 64 }), count: 12 },
    { content: tinyBert({ layers: 1, embedding: 32, context: 64, pooling: "rank" }), count: 12 },
  ];
  const paths: string[] = [];
  for (const [index, { content, count }] of models.entries()) {
    const mutants = mutateModel(modelBytes(content), 42 + index);
    for (let kept = 0; kept < count;) {
      const { bytes } = mutants.next().value;
      if (!accepts(bytes)) continue;
      const path = join(folder, `model-${index}-${kept++}.gguf`);
      await writeFile(path, bytes);
      paths.push(path);
    }
  }
  return paths;
}

interface Run {
  readonly output: string;
  readonly errors: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

async function loadAll(paths: readonly string[]): Promise<Run> {
  const script = fileURLToPath(new URL("../../../test/load-models.ts", import.meta.url));
  const child = spawn(process.execPath, [script, ...paths], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  return await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ output, errors, code, signal }));
  });
}

test("no damaged file that passes the checks brings llama.cpp down, loaded and used", async () => {
  const paths = await survivors();
  const { output, errors, code, signal } = await loadAll(paths);
  const lines = output.split("\n");
  const last = lines.findLast((line) => line.startsWith("start "));
  expect({ signal, code, last: signal && last, errors: signal && errors.slice(-400) }).toEqual({
    signal: null,
    code: 0,
    last: null,
    errors: null,
  });
  const ends = lines.filter((line) => line.startsWith("end "));
  expect(ends).toHaveLength(paths.length);
  // Most of them still work: the checks do not just let hopeless files through.
  expect(ends.filter((line) => / (generated|embedded) \d/.test(line)).length).toBeGreaterThan(paths.length / 2);
}, 180_000);
