import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Services } from "../../src/commands/services.ts";
import { makeTinyLlama } from "../make-model.ts";
import { hearth, temporaryFolder } from "./run-main.ts";

type Evaluate = Services["evaluate"];

const evaluate: Evaluate = async ({ model, reference, text, tokens }) => ({
  model: model.name,
  size: { dataBytes: 1000, weights: 2000, bitsPerWeight: 4, types: { Q4_K: 2000 } },
  text: { name: text.name, windows: 1, windowTokens: tokens ?? 512, scoredTokens: 255 },
  perplexity: { value: 7.5, error: 0.1 },
  ...(reference && {
    comparison: {
      reference: reference.name,
      referenceSize: { dataBytes: 4000, weights: 2000, bitsPerWeight: 16, types: { F16: 2000 } },
      referencePerplexity: { value: 7, error: 0.1 },
      divergence: { value: 0.05, error: 0.001 },
      quantiles: [
        { part: 0.5, value: 0.01 },
        { part: 1, value: 0.9 },
      ],
      agreement: { value: 0.9, error: 0.01 },
    },
  }),
  speed: { threads: 1, textRate: 100, answerRate: 10, memoryBytes: 5000 },
});

const made = mkdtempSync(join(tmpdir(), "hearth-compress-"));
beforeAll(async () => {
  await makeTinyLlama(join(made, "tiny-f16.gguf"), { embedding: 256, layers: 1, type: "F16" });
});
afterAll(() => rmSync(made, { recursive: true }));

async function tiny(): Promise<string> {
  const path = join(temporaryFolder(), "tiny-f16.gguf");
  await copyFile(join(made, "tiny-f16.gguf"), path);
  return path;
}

describe("hearth quantize", () => {
  test("writes a smaller file beside the model, named after its type", async () => {
    const source = await tiny();
    const { code, stdout } = await hearth(["quantize", source]);
    expect(code).toBe(0);
    expect(stdout).toContain("bits per weight");
    expect(existsSync(join(source, "..", "tiny-q4_k_m.gguf"))).toBe(true);
  });

  test("takes a type, types of single tensors and a file to write, and prints JSON", async () => {
    const source = await tiny();
    const out = join(source, "..", "small.gguf");
    const words = ["--type", "q8_0", "--tensor", "ffn_down=q6_k", "--out", out, "--json"];
    const { code, stdout } = await hearth(["quantize", source, ...words]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ path: out, mix: "q8_0", types: { Q6_K: 512 * 256 } });
  });

  test("makes a checkpoint with a text, and says what it made", async () => {
    const source = await tiny();
    const text = join(source, "..", "text.txt");
    writeFileSync(text, "words");
    const calibrate: Services["calibrate"] = async ({ out, method, bits = 0, group = 0, ordered, text: given }) => ({
      path: out,
      method,
      bits,
      group,
      tokens: given.text.length * (ordered ? 1000 : 1),
      sizeBytes: 1000,
      sourceBytes: 4000,
      weights: 2000,
      codedWeights: 1500,
      bitsPerWeight: 4,
      notes: [],
      ms: 10,
    });
    const words = ["--type", "gptq", "--group", "64", "--order", "--calibration", text];
    const { code, stdout } = await hearth(["quantize", source, ...words], { services: { calibrate } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/tiny-gptq\n/);
    expect(stdout).toMatch(/codes +2K of 2K weights, 4 bits, groups of 64/);
    expect(stdout).toMatch(/calibration +5000 tokens/);
  });

  test.each([
    [["--type", "gptq"], /--calibration is missing/],
    [["--type", "awq", "--calibration", "x", "--bits", "8"], /AWQ has no --bits 8/],
    [["--type", "awq", "--calibration", "x", "--imatrix", "y"], /--imatrix says nothing of --type awq/],
    [["--type", "q4_0", "--order"], /--order says nothing of --type q4_0/],
    [["--type", "gptq", "--group", "48"], /--group is "48"/],
  ] as const)("refuses flags that say nothing together: %j", async (words, message) => {
    const { code, stderr } = await hearth(["quantize", await tiny(), ...words]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  test("names what is wrong with a type, a pattern or a source", async () => {
    const source = await tiny();
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [["--type", "q4_k_x"], /q4_k_m/],
      [["--tensor", "ffn_down"], /PATTERN=TYPE/],
      [["--tensor", "ffn_down=q9"], /no type "q9"/],
      [["--tensor", "(=q4_0"], /no regular expression/],
      [["--tensor", "nothing=q4_0"], /No tensor that can be quantized has "nothing"/],
    ];
    for (const [words, message] of cases) {
      const { code, stderr } = await hearth(["quantize", source, ...words]);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(message);
    }
    const { stderr } = await hearth(["quantize", `${source}.none`]);
    expect(stderr).toMatch(/none/);
  });

  test("writes a quality card when it is asked to, which show prints", async () => {
    const source = await tiny();
    const { code, stdout } = await hearth(["quantize", source, "--type", "q4_0", "--card"], { services: { evaluate } });
    expect(code).toBe(0);
    expect(stdout).toContain("KL divergence");
    const out = join(source, "..", "tiny-q4_0.gguf");
    expect(existsSync(join(source, "..", "tiny-q4_0.card.html"))).toBe(true);
    const shown = await hearth(["show", out]);
    expect(shown.stdout).toMatch(/quality card[\s\S]*KL divergence/);
    expect(JSON.parse((await hearth(["show", out, "--json"])).stdout)).toMatchObject({
      card: { perplexity: { value: 7.5 } },
    });
  });
});

describe("hearth eval", () => {
  test("prints a table, or JSON", async () => {
    const source = await tiny();
    const words = ["eval", source, "--reference", source, "--tokens", "1024"];
    const { code, stdout } = await hearth(words, { services: { evaluate } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/perplexity +7\.5/);
    expect(stdout).toContain("english.txt");
    const { stdout: json } = await hearth([...words, "--json"], { services: { evaluate } });
    expect(JSON.parse(json)).toMatchObject({
      version: 1,
      text: { windowTokens: 1024 },
      comparison: { reference: source },
    });
  });

  test("names questions that are none", async () => {
    const source = await tiny();
    const path = join(source, "..", "q.jsonl");
    writeFileSync(path, "{}\n");
    const { code, stderr } = await hearth(["eval", source, "--choices", path], { services: { evaluate } });
    expect(code).toBe(1);
    expect(stderr).toMatch(/q\.jsonl:1 is no question/);
  });
});

describe("hearth imatrix", () => {
  test("writes what a text tells about a model", async () => {
    const source = await tiny();
    const text = join(source, "..", "text.txt");
    writeFileSync(text, "Some text.");
    const out = join(source, "..", "x.imatrix.gguf");
    const collectImportance: Services["collectImportance"] = async (_, options) => ({
      file: {
        entries: new Map([["blk.0.attn_q.weight", { sums: Float32Array.of(1), counts: Float32Array.of(1) }]]),
        datasets: [options.text.name],
        chunks: 8,
        chunkTokens: 512,
      },
      cosines: [0.9],
      perplexity: { value: 9, error: 0.1 },
      tokens: 4096,
      unseen: 0,
      experts: 0,
    });
    const { code, stdout } = await hearth(["imatrix", source, "--text", text, "--out", out], {
      services: { collectImportance },
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/text\.txt: 4096 tokens in 8 pieces/);
    expect(existsSync(out)).toBe(true);
  });

  test("needs a text", async () => {
    const { code, stderr } = await hearth(["imatrix", await tiny()]);
    expect(code).toBe(2);
    expect(stderr).toContain("--text");
  });
});
