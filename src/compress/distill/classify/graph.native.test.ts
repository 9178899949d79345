/** A head on tiny graphs in ONNX Runtime, against the same in plain numbers. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { onnxFloats, onnxModel, onnxNode, onnxValue, tensorMap } from "../../../../test/make-onnx.ts";
import { testPack } from "../../../../test/pack.ts";
import { createSession } from "../../../engines/onnx/session.ts";
import { onnxLibrary } from "../../../engines/onnx/setup.ts";
import { onnxBytes } from "../../../formats/onnx/encode.ts";
import type { OnnxModel, OnnxValue } from "../../../formats/onnx/types.ts";
import { addHead } from "./graph.ts";
import type { Head } from "./softmax.ts";
import { predict } from "./softmax.ts";

const pack = await testPack("onnx");
const [width, labels] = [4, 3];
const table = Float32Array.from({ length: 6 * width }, (_, index) => Math.sin(index * 1.7));
const head: Head = {
  width,
  labels,
  values: Float32Array.from({ length: (width + 1) * labels }, (_, index) => 3 * Math.cos(index)),
};

/** A vector for each token, [batch, tokens, 4]. */
function embedder(
  outputs: readonly OnnxValue[] = [onnxValue("last_hidden_state", ["batch", "tokens", width])],
): OnnxModel {
  const ids = (name: string): OnnxValue => ({
    name,
    type: { kind: "tensor", element: "int64", shape: ["batch", "tokens"] },
  });
  return onnxModel({
    nodes: [onnxNode("Gather", ["table", "input_ids"], ["last_hidden_state"])],
    initializers: tensorMap(onnxFloats("table", [6, width], table)),
    inputs: [ids("input_ids"), ids("attention_mask")],
    outputs,
  });
}

/** The second text is one token shorter. */
const texts = [
  [1, 2, 5],
  [3, 4],
] as const;
const tensor = (values: readonly number[]) =>
  ({ type: "int64", shape: [2, 3], data: BigInt64Array.from(values, BigInt) }) as const;
const feeds = { input_ids: tensor([1, 2, 5, 3, 4, 0]), attention_mask: tensor([1, 1, 1, 1, 1, 0]) };

function pooled(pooling: string, tokens: readonly number[]): Float32Array {
  const used = pooling === "mean" ? tokens : pooling === "cls" ? tokens.slice(0, 1) : tokens.slice(-1);
  const sum = new Float32Array(width);
  for (const token of used) for (let at = 0; at < width; at++) sum[at]! += table[token * width + at]!;
  const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0));
  return sum.map((value) => value / length);
}

describe.skipIf(pack === undefined)("a head on a graph", () => {
  const folder = mkdtempSync(join(tmpdir(), "hearth-head-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(["mean", "cls", "last"] as const)("gives the probabilities of vectors pooled by %s", async (pooling) => {
    const path = join(folder, `${pooling}.onnx`);
    writeFileSync(path, await onnxBytes(addHead(embedder(), head, { name: "tiny", pooling })));
    const session = await createSession({ module: onnxLibrary(pack ?? "").runtime, path, threads: 1 });
    const { probabilities, logits } = await session.run(feeds);
    await session.dispose();
    expect(logits?.shape).toEqual([2, labels]);
    const expected = texts.flatMap((tokens) => [...predict(head, pooled(pooling, tokens))]);
    for (const [at, value] of expected.entries()) expect(Number(probabilities?.data[at])).toBeCloseTo(value, 5);
  });

  test("is refused where it has no place", () => {
    const place = { name: "tiny", pooling: "mean" } as const;
    expect(() => addHead(embedder([]), head, place)).toThrow("No head fits on tiny: it has no output.");
    const scores = onnxValue("last_hidden_state", ["batch"]);
    expect(() => addHead(embedder([scores]), head, place)).toThrow("last_hidden_state has 1 dimensions");
    expect(() => addHead(embedder(), head, { name: "tiny", pooling: "rank" })).toThrow("pooled by rank");
  });
});
