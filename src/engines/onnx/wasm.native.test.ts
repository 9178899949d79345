import { afterAll, describe, expect, it } from "vitest";
import { collect } from "../../../test/engine-contract.ts";
import { unpackTiny } from "../../../test/onnx-tiny.ts";
import { testPack } from "../../../test/pack.ts";
import { engineEnvironment } from "../../config/environment.ts";
import { describeOnnx } from "../../models/describe-onnx.ts";
import type { LoadedModel } from "../../spec/engine.ts";
import { createOnnxEngine } from "./engine.ts";
import { onnxLibrary, wasmLibrary } from "./setup.ts";

const [pack, wasm] = [await testPack("onnx"), await testPack("onnx-wasm")];
const notices: string[] = [];
const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing.toReversed()) await close();
});

/** As on a machine that the native library was not built for: its file is not there. */
const engine = createOnnxEngine({
  env: engineEnvironment(),
  onNotice: (text) => notices.push(text),
  library: async () => ({ ...onnxLibrary(pack ?? ""), runtime: "file:///nowhere/onnxruntime-node/dist/index.js" }),
  wasmLibrary: async () => wasmLibrary(pack ?? "", wasm ?? ""),
});

async function load(
  name: string,
  file: string,
): Promise<{ model: LoadedModel; tiny: Awaited<ReturnType<typeof unpackTiny>> }> {
  const tiny = await unpackTiny(name);
  closing.push(tiny.remove);
  const path = `${tiny.folder}/onnx/${file}.onnx`;
  const model = await engine.load({ name, path, info: describeOnnx(path) }, { threads: 2 });
  closing.push(async () => await model.dispose());
  return { model, tiny };
}

describe.skipIf(pack === undefined || wasm === undefined)("ONNX Runtime where its native library is missing", () => {
  it("runs as WebAssembly, and says so once", async () => {
    const { model, tiny } = await load("rerank", "model");
    const golden = tiny.golden as { query: string; documents: string[]; scores: number[] };
    const { scores } = (await model.rerank?.(golden)) ?? { scores: [] };
    golden.scores.forEach((score, at) => expect(Math.abs((scores[at] ?? NaN) - score)).toBeLessThan(1e-4));
    expect(model.device).toBe("cpu");
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(/native library does not load here: .*Its WebAssembly build runs the models, slower\./);
  });

  it("runs pipelines and language models too", async () => {
    const pictures = await load("classify-image", "model");
    const image = { bytes: await pictures.tiny.read("picture.png") };
    const found = await pictures.model.perform?.("classify", { images: [image] });
    const { scores } = pictures.tiny.golden as { scores: Readonly<Record<string, number>> };
    for (const { label, score } of found?.labels[0] ?? []) {
      expect(Math.abs(score - (scores[label] ?? NaN))).toBeLessThan(1e-4);
    }
    const { model, tiny } = await load("llama", "model");
    const { text, ids } = tiny.golden as { text: string; ids: number[] };
    const request = { prompt: [{ text, special: false }], sampling: { temperature: 0 }, maxTokens: 16 };
    const runs = await Promise.all([collect(model, request), collect(model, request)]);
    expect(runs.map(({ tokens }) => tokens)).toEqual([ids, ids]);
    expect(notices).toHaveLength(1);
  });
});
