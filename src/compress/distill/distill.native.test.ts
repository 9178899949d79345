/** The whole way, in processes and threads, with a tiny model as its own teacher. */
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findFixture, fixtureBytes } from "../../engines/flint/__fixtures__/fixtures.ts";
import type { Progress } from "../../spec/model.ts";
import { defaultText } from "../evaluate/text.ts";
import { evaluateIsolated } from "../isolate.ts";
import type { DistillOptions } from "./contract.ts";
import { distillModel } from "./distill.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-distill-"));
  for (const name of ["llama", "qwen3", "gemma2"]) {
    await writeFile(join(folder, `${name}.gguf`), fixtureBytes(findFixture(name)));
  }
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

const named = (name: string) => ({ name, path: join(folder, `${name}.gguf`) });

async function optionsOf(more: Partial<DistillOptions> = {}): Promise<DistillOptions> {
  const { text } = await defaultText();
  return {
    teacher: named("llama"),
    student: named("llama"),
    text: { name: "english.txt", text: text.slice(0, 40_000) },
    threads: 2,
    folder,
    out: join(folder, "out.gguf"),
    learning: { steps: 12, window: 32, rank: 4, rate: 3e-3 },
    ...more,
  };
}

describe("a student", () => {
  test.each(["out.gguf", "out-folder"])("is better of a text after it has learned, and runs from %s", async (out) => {
    const seen: Progress[] = [];
    const path = join(folder, out);
    const report = await distillModel(await optionsOf({ out: path, onProgress: (progress) => seen.push(progress) }));
    const { heldOut } = report;
    expect(heldOut.after).toBeLessThan(heldOut.before);
    expect(heldOut.before).toBeCloseTo(heldOut.teacher, 2);
    expect(seen.at(-1)?.phase).toBe("convert");
    expect(seen.filter(({ phase }) => phase === "train")).not.toHaveLength(0);
    const text = await defaultText();
    const { perplexity } = await evaluateIsolated({
      model: { name: out, path },
      text,
      threads: 2,
      folder,
      windowTokens: 32,
      tokens: 2048,
    });
    expect(perplexity.value).toBeLessThan(Math.exp(heldOut.before));
  });

  test("leaves nothing when it is interrupted", async () => {
    const controller = new AbortController();
    const out = join(folder, "interrupted.gguf");
    const onProgress = ({ phase }: Progress): void => {
      if (phase === "train") controller.abort();
    };
    const options = await optionsOf({
      out,
      learning: { steps: 1000, window: 32 },
      signal: controller.signal,
      onProgress,
    });
    await expect(distillModel(options)).rejects.toThrow("cancelled");
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.includes("interrupted") || name.endsWith(".tmp"))).toEqual([]);
  });

  test("is refused where it has other tokens, cannot be trained, or the text is too short", async () => {
    const refused = async (more: Partial<DistillOptions>): Promise<string> => {
      const options = await optionsOf({ ...more, out: join(folder, "refused.gguf") });
      return await distillModel(options).then(
        () => "",
        (error: unknown) => (error instanceof Error ? error.message : ""),
      );
    };
    expect(await refused({ student: named("qwen3") })).toContain(
      "qwen3.gguf has another tokenizer than llama.gguf: tokenizer.ggml.tokens differs",
    );
    expect(await refused({ teacher: named("gemma2"), student: named("gemma2") })).toContain("cannot be trained");
    expect(await refused({ text: { name: "short.txt", text: "Too short." } })).toContain("short.txt gives 0 tokens");
  });
});
