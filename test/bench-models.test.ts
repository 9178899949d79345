import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { benchModel, mixes, type BenchShape } from "../scripts/bench-models.ts";
import { randomBlocks } from "../scripts/random-blocks.ts";
import { checkModel } from "../src/engines/flint/check.ts";
import { codecOf } from "../src/engines/flint/weights/codecs/table.ts";
import { toFloat32 } from "../src/engines/flint/weights/codecs/float.ts";
import { parseGguf } from "../src/formats/gguf/parse.ts";
import { validateForEngine } from "../src/formats/gguf/validate.ts";
import { writeGguf } from "../src/formats/gguf/write.ts";

const small: BenchShape = { layers: 8, embedding: 256, feedForward: 512, heads: 4, keyHeads: 2, vocabulary: 1000 };

test.each(mixes)("a bench model in %s is a llama that passes every check of a header", async (mix) => {
  const folder = mkdtempSync(join(tmpdir(), "hearth-bench-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "small.gguf");
  await writeGguf(path, benchModel(small, mix));
  const file = parseGguf(new Uint8Array(readFileSync(path)), { name: "small" });
  validateForEngine(file);
  expect(checkModel(file).hyperparameters.layers).toHaveLength(8);
  const types = (part: string): string[] =>
    file.tensors.filter(({ name }) => name.endsWith(`${part}.weight`)).map(({ typeName }) => typeName);
  // Of 8 layers the first, the last and every third in between.
  const six = ["Q6_K", "Q4_K", "Q4_K", "Q6_K", "Q4_K", "Q4_K", "Q6_K", "Q6_K"];
  const plain = mix === "q4_0" ? "Q4_0" : "Q8_0";
  expect(types("ffn_down")).toEqual(mix === "q4_k_m" ? six : Array<string>(8).fill(plain));
  expect(types("output")[0]).toBe(mix === "q8_0" ? "Q8_0" : "Q6_K");
});

test.each(["Q4_0", "Q8_0", "Q4_K", "Q6_K"] as const)(
  "random %s blocks have the mean 0 and the deviation that was asked for, and the same seed gives the same",
  async (type) => {
    const tensor = { type, shape: [256, 512], deviation: 0.05, seed: 3 };
    const read = async (): Promise<Float32Array> => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of randomBlocks(tensor)) chunks.push(chunk.slice());
      const values = new Float32Array(256 * 512);
      toFloat32(type, new Uint8Array(Buffer.concat(chunks)), values);
      return values;
    };
    expect(codecOf(type)).toBeDefined();
    const values = await read();
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    expect(Math.abs(mean)).toBeLessThan(0.002);
    expect(deviation).toBeGreaterThan(0.045);
    expect(deviation).toBeLessThan(0.06);
    expect(await read()).toEqual(values);
  },
);
