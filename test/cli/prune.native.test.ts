import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Services } from "../../src/commands/services.ts";
import { parseGguf } from "../../src/formats/gguf/parse.ts";
import { makeTinyLlama } from "../make-model.ts";
import { hearth, temporaryFolder } from "./run-main.ts";

async function tiny() {
  const folder = temporaryFolder();
  const source = await makeTinyLlama(join(folder, "tiny-f16.gguf"), { layers: 4, type: "F16" });
  const text = join(folder, "text.txt");
  writeFileSync(text, "Some text.");
  return { folder, source, text };
}

/** As if all columns had been the same. */
const collectImportance: Services["collectImportance"] = async (path, { text }) => {
  const { tensors } = parseGguf(new Uint8Array(readFileSync(path)), { name: path });
  const entries = tensors.map(
    ({ name, shape: [k = 1] }) => [name, { sums: new Float32Array(k).fill(1), counts: Float32Array.of(1) }] as const,
  );
  return {
    file: { entries: new Map(entries), datasets: [text.name], chunks: 8, chunkTokens: 512 },
    cosines: [0.1, 0.9, 0.8, 0.2],
    perplexity: { value: 9, error: 0.1 },
    tokens: 4096,
    unseen: 0,
    experts: 0,
  };
};

const evaluate: Services["evaluate"] = async ({ model, text }) => ({
  model: model.name,
  size: { dataBytes: 1000, weights: 2000, bitsPerWeight: 16, types: { F16: 2000 } },
  text: { name: text.name, windows: 1, windowTokens: 512, scoredTokens: 255 },
  perplexity: { value: 7.5, error: 0.1 },
  speed: { threads: 1, textRate: 100, answerRate: 10, memoryBytes: 5000 },
});

describe("hearth prune", () => {
  test("writes a smaller file beside the model, and says what is gone", async () => {
    const { folder, source, text } = await tiny();
    const { code, stdout } = await hearth(["prune", source, "--layers", "50%", "--calibration", text], {
      services: { collectImportance },
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/layers\s+2 of 4; without 1–2/);
    expect(existsSync(join(folder, "tiny-f16-pruned.gguf"))).toBe(true);
  });

  test("takes all that can go at once, and prints JSON", async () => {
    const { folder, source, text } = await tiny();
    const out = join(folder, "folder");
    const words = ["--drop", "0,2-3", "--heads", "2", "--ffn", "25%", "--pattern", "2:4", "--out", out, "--json"];
    const { code, stdout } = await hearth(["prune", source, ...words, "--calibration", text], {
      services: { collectImportance },
    });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      path: out,
      format: "safetensors",
      facts: {
        layers: { before: 4, after: 1, dropped: [0, 2, 3] },
        heads: { before: 4, after: 2 },
        channels: { before: 128, after: 96 },
        zeros: { method: "wanda", pattern: "2:4", inLayers: 0.5 },
      },
    });
  });

  test("writes a card that says so", async () => {
    const { folder, source } = await tiny();
    const words = ["--sparsity", "50%", "--method", "magnitude", "--card"];
    const { code, stdout } = await hearth(["prune", source, ...words], { services: { evaluate } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/zeros\s+50\.00 % of the layers' weights \(magnitude\)/);
    const card = JSON.parse(readFileSync(join(folder, "tiny-f16-pruned.card.json"), "utf8")) as object;
    expect(card).toMatchObject({ pruned: { zeros: { method: "magnitude", inLayers: 0.5 } } });
    const shown = await hearth(["show", join(folder, "tiny-f16-pruned.gguf"), "--json"]);
    expect(shown.code).toBe(0);
  });

  test("names what is wrong with the flags", async () => {
    const { source, text } = await tiny();
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [[], /Nothing is to be taken out/],
      [["--layers", "2", "--drop", "1"], /--layers and --drop/],
      [["--sparsity", "0.5", "--pattern", "2:4"], /--sparsity and --pattern/],
      [["--layers", "2", "--method", "wanda"], /--method needs/],
      [["--drop", "1", "--calibration", text], /of no use/],
      [["--drop", "1", "--tokens", "100"], /--tokens needs/],
      [["--layers", "some"], /"some"/],
      [["--drop", "5-3"], /"5-3"/],
      [["--sparsity", "1.5"], /between 0 and 1/],
      [["--pattern", "4:2"], /N below M/],
    ];
    for (const [words, message] of cases) {
      const { code, stderr } = await hearth(["prune", source, ...words]);
      expect([words, code, stderr]).toEqual([words, 2, expect.stringMatching(message)]);
    }
    const { code, stderr } = await hearth(["prune", source, "--layers", "2"]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/--calibration FILE/)]);
  });
});
