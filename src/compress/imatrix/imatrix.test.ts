import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../test/cli/run-main.ts";
import { makeTinyLlama } from "../../../test/make-model.ts";
import { readImportance } from "./read.ts";
import type { ImportanceFile } from "./contract.ts";
import { importanceOf } from "./weights.ts";
import { writeImportance } from "./write.ts";

const file: ImportanceFile = {
  entries: new Map([
    ["blk.0.attn_q.weight", { sums: Float32Array.of(2, 4, 6, 8), counts: Float32Array.of(2) }],
    ["blk.0.ffn_up_exps.weight", { sums: Float32Array.of(1, 3, 0, 0), counts: Float32Array.of(5, 0) }],
  ]),
  datasets: ["a.txt"],
  chunks: 7,
  chunkTokens: 512,
};

/** The older format: all integers int32, the values times the number of calls. */
function legacyBytes(
  entries: readonly (readonly [name: string, calls: number, values: readonly number[]])[],
): Uint8Array {
  const bytes: number[] = [];
  const int = (value: number): void => void bytes.push(...new Uint8Array(Int32Array.of(value).buffer));
  const text = (value: string): void => {
    int(value.length);
    bytes.push(...new TextEncoder().encode(value));
  };
  int(entries.length);
  for (const [name, calls, values] of entries) {
    text(name);
    int(calls);
    int(values.length);
    bytes.push(...new Uint8Array(Float32Array.from(values).buffer));
  }
  int(12);
  text("old.txt");
  return Uint8Array.from(bytes);
}

describe("an importance matrix", () => {
  it("comes back as it was written", async () => {
    const path = join(temporaryFolder(), "x.gguf");
    await writeImportance({ path }, file);
    expect(await readImportance(path)).toEqual(file);
  });

  it("is read in the older format too", async () => {
    const path = join(temporaryFolder(), "x.dat");
    writeFileSync(path, legacyBytes([["blk.1.attn_k.weight", 3, [3, 6]]]));
    const { entries, datasets, chunks } = await readImportance(path);
    expect([...entries.keys()]).toEqual(["blk.1.attn_k.weight"]);
    expect([datasets, chunks]).toEqual([["old.txt"], 12]);
    const [first, second] = importanceOf({ ...file, entries }, { name: "blk.1.attn_k.weight", k: 2, experts: 1 }) ?? [];
    expect((second ?? 0) / (first ?? 0)).toBeCloseTo(2);
  });

  it("gives each matrix weights around 1, and those of an expert that no token chose are all the same", () => {
    const dense = importanceOf(file, { name: "blk.0.attn_q.weight", k: 4, experts: 1 });
    expect([...(dense ?? [])]).toEqual([0.4, 0.8, 1.2, 1.6].map(Math.fround));
    const experts = importanceOf(file, { name: "blk.0.ffn_up_exps.weight", k: 2, experts: 2 });
    expect([...(experts ?? [])]).toEqual([0.5, 1.5, 1, 1]);
    expect(importanceOf(file, { name: "blk.9.attn_q.weight", k: 4, experts: 1 })).toBeUndefined();
  });

  it("is refused where it is something else, cut off or not of numbers", async () => {
    const folder = temporaryFolder();
    const whole = legacyBytes([["a", 1, [1, 2]]]);
    const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
      ["cut.dat", whole.slice(0, 20), /has \d+ more/],
      ["text.dat", new TextEncoder().encode("this is a text"), /no importance matrix/],
      ["nan.dat", legacyBytes([["a", 1, [1, Number.NaN]]]), /no sum of squares/],
      ["negative.dat", legacyBytes([["a", 1, [1, -2]]]), /no sum of squares/],
    ];
    for (const [name, bytes, message] of cases) {
      writeFileSync(join(folder, name), bytes);
      await expect(readImportance(join(folder, name))).rejects.toMatchObject({ code: "model_malformed", message });
    }
    const model = await makeTinyLlama(join(folder, "model.gguf"));
    await expect(readImportance(model)).rejects.toMatchObject({ code: "bad_request" });
    await expect(readImportance(join(folder, "none"))).rejects.toMatchObject({ code: "model_not_found" });
  });
});
