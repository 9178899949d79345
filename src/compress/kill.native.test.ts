import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/cli/run-main.ts";
import { makeTinyLlama } from "../../test/make-model.ts";
import { readGguf } from "../formats/gguf/read.ts";
import { parseCard } from "./card/schema.ts";
import { defaultText } from "./evaluate/text.ts";

const cli = fileURLToPath(new URL("../cli.ts", import.meta.url));

interface Killed {
  /** A command and its words. */
  readonly words: readonly string[];
  readonly outputs: readonly string[];
  /** Throws for an output that is not whole. */
  readonly check: (path: string) => unknown;
  readonly kills: number;
}

/** Runs a command once, then kills it ever later; in the end it runs once more. */
async function killAtAnyTime({ words, outputs, check, kills }: Killed): Promise<void> {
  const data = join(temporaryFolder(), "data");
  const start = () => spawn(process.execPath, [cli, ...words, "--data", data], { stdio: "ignore" });
  const started = performance.now();
  expect(await once(start(), "exit")).toEqual([0, null]);
  const wholeMs = performance.now() - started;
  const removeAll = (): void => outputs.forEach((path) => rmSync(path, { force: true }));
  removeAll();
  for (let part = 1; part <= kills; part++) {
    const child = start();
    const gone = once(child, "exit");
    await new Promise((resolve) => setTimeout(resolve, (wholeMs * part) / kills));
    child.kill("SIGKILL");
    await gone;
    for (const path of outputs.filter((each) => existsSync(each))) await check(path);
    removeAll();
  }
  expect(await once(start(), "exit")).toEqual([0, null]);
  for (const path of outputs) await check(path);
}

const leftovers = (folder: string): string[] => readdirSync(folder).filter((name) => name.includes(".partial"));

async function setUp() {
  const folder = temporaryFolder();
  const text = join(folder, "text.txt");
  await writeFile(text, (await defaultText()).text.slice(0, 24_000));
  return { folder, text, model: await makeTinyLlama(join(folder, "model.gguf"), { embedding: 128, layers: 2 }) };
}

describe("killed at any time, nothing is there under an output's name, or all of it", () => {
  it("by quantize", async () => {
    const folder = temporaryFolder();
    const shape = { embedding: 1024, layers: 6, heads: 8, type: "F16" } as const;
    const source = await makeTinyLlama(join(folder, "source.gguf"), shape);
    const out = join(folder, "out.gguf");
    const words = ["quantize", source, "--type", "q4_k_m", "--out", out];
    let size: number | undefined;
    const check = async (path: string): Promise<void> => {
      await readGguf(path);
      expect(statSync(path).size).toBe((size ??= statSync(path).size));
    };
    await killAtAnyTime({ words, outputs: [out], check, kills: 8 });
    expect(leftovers(folder)).toEqual([]);
  });

  it("by prune", async () => {
    const folder = temporaryFolder();
    const shape = { embedding: 512, layers: 4, heads: 8, type: "F16" } as const;
    const source = await makeTinyLlama(join(folder, "source.gguf"), shape);
    const out = join(folder, "out.gguf");
    const words = ["prune", source, "--drop", "1", "--sparsity", "0.5", "--method", "magnitude", "--out", out];
    await killAtAnyTime({ words, outputs: [out], check: readGguf, kills: 6 });
    expect(leftovers(folder)).toEqual([]);
  });

  it("by imatrix", async () => {
    const { folder, text, model } = await setUp();
    const out = join(folder, "out.imatrix.gguf");
    const words = ["imatrix", model, "--text", text, "--out", out];
    await killAtAnyTime({ words, outputs: [out], check: readGguf, kills: 4 });
    expect(leftovers(folder)).toEqual([]);
  });

  it("by eval, which writes a card and a page", async () => {
    const { folder, text, model } = await setUp();
    const outputs = ["model.card.json", "model.card.html"].map((name) => join(folder, name));
    const check = (path: string): void => {
      const written = readFileSync(path, "utf8");
      if (path.endsWith(".json")) parseCard(JSON.parse(written));
      else if (!/<\/html>\s*$/.test(written)) throw new Error("the page is cut off");
    };
    await killAtAnyTime({ words: ["eval", model, "--text", text, "--card"], outputs, check, kills: 4 });
    expect(leftovers(folder)).toEqual([]);
  });
});
