import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../test/make-checkpoint.ts";
import { convert } from "../convert/convert.ts";
import type { ConvertType } from "../convert/convert.ts";
import type { Cuts } from "./contract.ts";
import { fakeActivations, readModel, tinyContent, writeTiny } from "./__fixtures__/tiny.ts";
import { pruneModel } from "./prune.ts";

const name = "blk.2.ffn_down.weight";

interface ZeroOptions {
  readonly type?: ConvertType & WeightName;
  /** Of eight columns the one that something enters. */
  readonly loud?: number;
}

type WeightName = "f32" | "f16" | "bf16";

async function zero(zeros: NonNullable<Cuts["zeros"]>, options: ZeroOptions = {}) {
  const content = tinyContent();
  const [folder, source] = [join(temporaryFolder(), "folder"), join(temporaryFolder(), "source.gguf")];
  await convert({ source: writeTiny(content), out: folder });
  await convert({ source: folder, out: source, type: options.type ?? "f32" });
  const out = join(temporaryFolder(), "sparse.gguf");
  const activations = fakeActivations(content, { column: (_, column) => column % 8 !== options.loud });
  const report = await pruneModel({ source, out, zeros, measure: async () => activations });
  return { report, before: readModel(source), after: readModel(out) };
}

describe("weights that become zero", () => {
  test.each(["f32", "f16", "bf16"] as const)("are the smallest of a matrix: %s", async (type) => {
    const { report, before, after } = await zero({ part: 0.5, method: "magnitude" }, { type });
    const words = (bytes: Uint8Array) =>
      type === "f32" ? new Float32Array(bytes.buffer) : new Uint16Array(bytes.buffer);
    const [from, to] = [words(before.data(name)), words(after.data(name))];
    const magnitude = (word: number): number => (type === "f32" ? Math.abs(word) : word & 0x7fff);
    const gone = [...from.keys()].filter((i) => magnitude(to[i]!) === 0);
    expect(gone).toHaveLength(from.length / 2);
    const largestGone = Math.max(...gone.map((i) => magnitude(from[i]!)));
    const kept = [...from.keys()].filter((i) => magnitude(to[i]!) !== 0);
    expect(kept.every((i) => to[i] === from[i] && magnitude(to[i]!) >= largestGone)).toBe(true);
    expect(report.facts.zeros).toMatchObject({ method: "magnitude", inLayers: 0.5 });
    expect(report.tensors).toHaveLength(6 * 7);
    // Embeddings, head and norms stay.
    for (const whole of ["token_embd.weight", "output.weight", "blk.0.attn_norm.weight"]) {
      expect(after.data(whole)).toEqual(before.data(whole));
    }
  });

  test("are those of each output that count least with what enters them", async () => {
    const { report, before, after } = await zero({ part: 0.75, method: "wanda" }, { loud: 3 });
    const [from, to] = [before.floats(name), after.floats(name)];
    const [rows, k] = [64, 128];
    const wrong: number[] = [];
    for (let row = 0; row < rows; row++) {
      const part = to.subarray(row * k, (row + 1) * k);
      if (part.filter((weight) => weight !== 0).length !== k / 4) wrong.push(row);
      // A column in eight is not silent: all of it stays.
      for (let column = 3; column < k; column += 8) if (part[column] !== from[row * k + column]) wrong.push(row);
    }
    expect(wrong).toEqual([]);
    expect(report.facts.zeros?.inLayers).toBeCloseTo(0.75, 3);
  });

  test.each([
    [2, 4],
    [1, 4],
    [4, 8],
  ])("leave %i of %i side by side", async (keep, of) => {
    const { report, before, after } = await zero({ keep, of, method: "magnitude" }, { type: "f16" });
    const [from, to] = [before.data(name), after.data(name)].map((bytes) => new Uint16Array(bytes.buffer));
    const wrong = Array.from({ length: to!.length / of }, (_, group) => group * of).filter((start) => {
      const group = [...to!.subarray(start, start + of)];
      const kept = group.flatMap((word, index) => ((word & 0x7fff) === 0 ? [] : [index]));
      const least = Math.min(...kept.map((index) => group[index]! & 0x7fff));
      const others = [...from!.subarray(start, start + of)].filter((_, index) => !kept.includes(index));
      return kept.length !== keep || others.some((word) => (word & 0x7fff) > least);
    });
    expect(wrong).toEqual([]);
    expect(report.facts.zeros).toMatchObject({ pattern: `${keep}:${of}`, inLayers: 1 - keep / of });
  });

  test("are found among the columns that stay when others go", async () => {
    const content = tinyContent();
    const out = join(temporaryFolder(), "sparse.gguf");
    const measure = async () =>
      fakeActivations(content, { column: (tensor, column) => tensor.includes("ffn_down") && column >= 64 });
    const zeros = { keep: 2, of: 4, method: "wanda" } as const;
    const report = await pruneModel({
      source: writeTiny(content),
      out,
      channels: { part: 0.5 },
      zeros,
      layers: { drop: [2] },
      measure,
    });
    expect(report.facts).toMatchObject({ channels: { after: 64 }, layers: { after: 5 }, zeros: { inLayers: 0.5 } });
  });
});
