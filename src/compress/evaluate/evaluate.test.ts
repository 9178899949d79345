import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../test/cli/run-main.ts";
import { randomNormal } from "../../../test/make-weights.ts";
import { readQuestions } from "./choices.ts";
import { compareRow, encodeRow, openRowStore } from "./reference-rows.ts";
import { meanOf, perplexityOf, quantilesOf } from "./statistics.ts";
import { readText } from "./text.ts";

function logits(seed: number, width = 1000): Float32Array {
  const normal = randomNormal(seed);
  return Float32Array.from({ length: width }, () => 4 * normal());
}

function divergence(a: Float32Array, b: Float32Array): number {
  const logprobs = (row: Float32Array): number[] => {
    const sum = Math.log(row.reduce((total, value) => total + Math.exp(value), 0));
    return Array.from(row, (value) => value - sum);
  };
  const [p, q] = [logprobs(a), logprobs(b)];
  return p.reduce((sum, value, index) => sum + Math.exp(value) * (value - (q[index] ?? 0)), 0);
}

describe("what a reference said", () => {
  it("is compared as exactly as a mean of many places needs", () => {
    const codes = new Uint16Array(1000);
    for (let seed = 0; seed < 20; seed++) {
      const [a, b] = [logits(seed), logits(seed)];
      for (let i = 0; i < b.length; i++) b[i]! += 0.1 * Math.sin(i);
      encodeRow(a, codes);
      expect(compareRow(codes, b).divergence).toBeCloseTo(divergence(a, b), 4);
      expect(compareRow(codes, a).divergence).toBeLessThan(1e-7);
    }
  });

  it("survives tokens that are impossible", () => {
    const [a, codes] = [logits(1), new Uint16Array(1000)];
    a[3] = -Infinity;
    encodeRow(a, codes);
    expect(codes[3]).toBe(65_535);
    const b = logits(1);
    b[3] = -200;
    expect(compareRow(codes, b).divergence).toBeLessThan(1e-4);
  });

  it("tells whether both hold the same token for the likeliest", () => {
    const [a, codes] = [Float32Array.of(1, 3, 2), new Uint16Array(3)];
    encodeRow(a, codes);
    expect(compareRow(codes, Float32Array.of(0, 9, 8)).agrees).toBe(true);
    expect(compareRow(codes, Float32Array.of(0, 8, 9)).agrees).toBe(false);
  });

  it("is kept in a file and found again row by row", async () => {
    const store = await openRowStore({ folder: temporaryFolder(), width: 1000, rows: 3 });
    for (const seed of [1, 2, 3]) store.write(logits(seed));
    expect(store.compare(1, logits(2)).divergence).toBeLessThan(1e-7);
    expect(store.compare(2, logits(2)).divergence).toBeGreaterThan(1);
    store.close();
  });

  it("is refused where it does not fit on the disk", async () => {
    const wanted = { folder: temporaryFolder(), width: 2 ** 20, rows: 2 ** 40 };
    await expect(openRowStore(wanted)).rejects.toMatchObject({ code: "disk_full", hint: /--tokens/ });
  });
});

describe("figures", () => {
  it("have their standard errors", () => {
    expect(meanOf([1, 2, 3, 4])).toEqual({ value: 2.5, error: Math.sqrt(1.25 / 3) });
    expect(perplexityOf([-1, -1]).value).toBeCloseTo(Math.E);
    expect(quantilesOf(Float64Array.of(3, 1, 2), [0, 0.5, 1]).map(({ value }) => value)).toEqual([1, 2, 3]);
  });
});

describe("questions", () => {
  it("name the right answer by place, letter or text", async () => {
    const path = join(temporaryFolder(), "q.jsonl");
    const line = (answer: unknown): string => JSON.stringify({ question: "Which?", choices: ["one", "two"], answer });
    writeFileSync(path, [line(1), line("B"), line("two"), "", line("one")].join("\n"));
    expect((await readQuestions(path)).map(({ answer }) => answer)).toEqual([1, 1, 1, 0]);
  });

  it("are refused with the line that is none", async () => {
    const path = join(temporaryFolder(), "q.jsonl");
    const good = '{"question":"a","choices":["b","c"],"answer":0}';
    for (const bad of ["no json", '{"question":"a"}', good.replace("0}", "2}"), good.replace("0}", '"d!"}')]) {
      writeFileSync(path, `${good}\n${bad}\n`);
      await expect(readQuestions(path)).rejects.toMatchObject({ code: "bad_request", message: /q\.jsonl:2/ });
    }
    writeFileSync(path, "\n");
    await expect(readQuestions(path)).rejects.toMatchObject({ code: "bad_request" });
  });
});

describe("a text", () => {
  it("is refused where it is none", async () => {
    const path = join(temporaryFolder(), "x.bin");
    writeFileSync(path, Uint8Array.of(0xff, 0xfe, 0x80));
    await expect(readText(path)).rejects.toMatchObject({ code: "bad_request" });
    await expect(readText(`${path}.none`)).rejects.toMatchObject({ code: "bad_request" });
  });
});
