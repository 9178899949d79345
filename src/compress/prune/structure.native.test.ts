import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeCheckpoint, temporaryFolder } from "../../../test/make-checkpoint.ts";
import { modelBytes } from "../../../test/make-model.ts";
import { distance } from "../../engines/flint/__fixtures__/distance.ts";
import type { GgufContent } from "../../formats/gguf/encode.ts";
import { convert } from "../convert/convert.ts";
import { fakeActivations, logitsOf, readModel, silence, tinyContent, writeTiny } from "./__fixtures__/tiny.ts";
import { pruneModel } from "./prune.ts";

const outside = (name: string): string => join(temporaryFolder(), name);

function bytesOf(path: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(path));
}

/** Greatest relative distance of the logits of a file to those of a model in memory. */
function apart(path: string, content: GgufContent): number {
  return distance(logitsOf(bytesOf(path)), logitsOf(modelBytes(content)));
}

describe("a model without some layers", () => {
  test("computes what it did when these layers added nothing", async () => {
    const content = tinyContent();
    const out = outside("small.gguf");
    const report = await pruneModel({ source: writeTiny(content), out, layers: { drop: [3, 1] } });
    expect(report.facts.layers).toEqual({ before: 6, after: 4, dropped: [1, 3] });
    const quiet = [1, 3].flatMap((layer) => [`blk.${layer}.attn_output.weight`, `blk.${layer}.ffn_down.weight`]);
    expect(
      apart(
        out,
        quiet.reduce((model, name) => silence(model, name, () => true), content),
      ),
    ).toBeLessThan(1e-5);
    const { file } = readModel(out);
    expect(file.metadata.get("llama.block_count")).toBe(4);
    expect(file.tensors).toHaveLength(3 + 4 * 9);
  });

  test("loses those that turn least what goes through them", async () => {
    const content = tinyContent();
    const cosines = [0.1, 0.9, 0.2, 0.8, 0.95, 0.3];
    const out = outside("small.gguf");
    const measure = async () => fakeActivations(content, { cosines });
    const report = await pruneModel({ source: writeTiny(content), out, layers: { part: 0.5 }, measure });
    expect(report.facts.layers?.dropped).toEqual([1, 3, 4]);
    expect(report.influence?.[4]).toBeCloseTo(0.05);
    expect(report.weights).toBeLessThan(report.sourceWeights);
  });

  test("keeps its lists in step, and quantized weights as they are", async () => {
    const list = { type: "array", of: "uint32", value: [2, 2, 2, 2, 2, 2] } as const;
    const lists = {
      "llama.attention.head_count_kv": list,
      "llama.feed_forward_length": { ...list, value: Array.from({ length: 6 }, () => 128) },
    };
    const content = tinyContent({ type: "Q8_0", metadata: lists });
    const out = outside("small.gguf");
    await pruneModel({ source: writeTiny(content), out, layers: { drop: [0, 5] } });
    const { file, data } = readModel(out);
    expect(file.metadata.get("llama.attention.head_count_kv")).toMatchObject({ length: 4 });
    const source = content.tensors.find(({ name }) => name === "blk.2.ffn_up.weight");
    expect(data("blk.1.ffn_up.weight")).toEqual(source?.data);
    expect(logitsOf(bytesOf(out))[0]?.every(Number.isFinite)).toBe(true);
  });
});

describe("a model with fewer heads and channels", () => {
  test("computes what it did when they added nothing", async () => {
    const content = tinyContent();
    // Heads 2 and 3 share their keys; every fourth channel.
    const isSilent = (name: string, column: number): boolean =>
      name.includes("attn_output") ? column >= 32 : name.includes("ffn_down") && column % 4 === 0;
    const out = outside("small.gguf");
    const measure = async () => fakeActivations(content, { column: isSilent });
    const report = await pruneModel({
      source: writeTiny(content),
      out,
      heads: { part: 0.5 },
      channels: { part: 0.25 },
      measure,
    });
    expect(report.facts).toMatchObject({ heads: { before: 4, after: 2 }, channels: { before: 128, after: 96 } });
    const quiet = content.tensors.map(({ name }) => name);
    const silent = quiet.reduce((model, name) => silence(model, name, (column) => isSilent(name, column)), content);
    expect(apart(out, silent)).toBeLessThan(1e-5);
    const { metadata } = readModel(out).file;
    expect(metadata.get("llama.attention.key_length")).toBe(16);
    expect(metadata.get("llama.attention.head_count_kv")).toBe(1);
    expect(metadata.get("llama.feed_forward_length")).toBe(96);
  });
});

describe("a folder", () => {
  test("is pruned to a folder, which is the same model as the file", async () => {
    const source = makeCheckpoint();
    const [folder, file, again] = [outside("small"), outside("small.gguf"), outside("again.gguf")];
    expect(await pruneModel({ source, out: folder, layers: { drop: [0] } })).toMatchObject({ format: "safetensors" });
    await pruneModel({ source, out: file, layers: { drop: [0] } });
    const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as Record<string, unknown>;
    expect(config["num_hidden_layers"]).toBe(1);
    await convert({ source: folder, out: again });
    const [one, other] = [readModel(file), readModel(again)];
    for (const { name } of one.file.tensors) expect(other.data(name)).toEqual(one.data(name));
  });

  test("says the width of its heads when there are fewer", async () => {
    const content = tinyContent();
    const out = outside("small");
    const measure = async () => fakeActivations(content);
    await pruneModel({ source: writeTiny(content), out, heads: { count: 2 }, measure });
    const config = JSON.parse(readFileSync(join(out, "config.json"), "utf8")) as Record<string, unknown>;
    expect(config).toMatchObject({ head_dim: 16, num_attention_heads: 2, num_key_value_heads: 1, hidden_size: 64 });
    expect(existsSync(join(out, "model.safetensors"))).toBe(true);
  });
});
