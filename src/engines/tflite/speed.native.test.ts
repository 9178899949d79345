/** What the engine adds to a run of LiteRT: checks, and copies in and out. */
import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { testPack } from "../../../test/pack.ts";
import { fetchTflite } from "../../../test/tflite-house.ts";
import { openLiteRt } from "./litert.ts";
import type { LiteRt, LiteRtRunner } from "./litert.ts";
import { openModel } from "./open.ts";
import { tfliteLibrary } from "./setup.ts";
import { inferWith } from "./tasks/infer.ts";

const folder = await testPack("tflite");
const shape = [1, 128, 128, 3];
const data = new Float32Array(128 * 128 * 3).fill(0.1);
const rounds = 60;

/** The bare session: a tensor in, all outputs as arrays. */
async function runBare(litert: LiteRt, runner: LiteRtRunner): Promise<void> {
  const input = new litert.Tensor(data, shape);
  const outputs = await runner.run([input]);
  for (const output of outputs) await output.data();
  for (const tensor of [input, ...outputs]) tensor.delete();
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** One for each process, also when the test is tried again. */
let opened: Promise<LiteRt> | undefined;

// The machine has other things to do: what counts is that one attempt shows it.
it.skipIf(folder === undefined)(
  "tensors go through at 0.95 of the speed of the bare session",
  { retry: 5 },
  async () => {
    const litert = await (opened ??= openLiteRt({ library: tfliteLibrary(folder ?? ""), threads: 1 }));
    const { path } = await fetchTflite("blazeface:short");
    const { session } = await openModel(path, { litert, accelerator: "wasm" });
    const infer = inferWith(session);
    const bare = await litert.loadAndCompile(new Uint8Array(await readFile(path)), { accelerator: "wasm" });
    const [runner] = Object.values(bare.signatures);
    const name = session.signature.inputs[0]?.name ?? "";
    const ours = async (): Promise<unknown> =>
      await infer({ inputs: { [name]: { type: "float32", shape, data } } }, {});
    const theirs = async (): Promise<void> => (runner ? await runBare(litert, runner) : undefined);
    await ours();
    await theirs();
    let [best, bestBare] = [Infinity, Infinity];
    for (let round = 0; round < rounds; round++) {
      best = Math.min(best, await time(ours));
      bestBare = Math.min(bestBare, await time(theirs));
    }
    session.dispose();
    bare.delete();
    expect(bestBare / best).toBeGreaterThan(0.95);
  },
);
