import { expect, test } from "vitest";
import type { ModelInfo } from "../../spec/model.ts";
import type { TaskName } from "../../spec/perform.ts";
import { createFakeEngine } from "../../engines/fake/engine.ts";
import { createHearth } from "../../tasks/hearth.ts";
import { createFakeLibrary } from "../../../test/fake-library.ts";
import { fakeSpeech, performWith } from "../../../test/fake-speech.ts";
import { fakeVision } from "../../../test/fake-vision.ts";
import { runTaskBench, type TaskBenchOptions } from "./index.ts";
import { runLoop } from "./loop.ts";
import { measureTaskRound, type TaskContestant } from "./measure.ts";
import { compareTasks, formatTaskReport, summarizeTasks, type TaskReport } from "./report.ts";
import { makeTensors, textTensors } from "./tensors.ts";

async function bench(info: Partial<ModelInfo>, options: Partial<TaskBenchOptions> = {}) {
  const asked: TaskName[] = [];
  const perform = performWith({ ...fakeVision, ...fakeSpeech() });
  const engine = createFakeEngine({
    memory: { ramBytes: 5, vramBytes: 0, residentBytes: 1024 ** 2 },
    async perform(task, request, call) {
      asked.push(task);
      return await perform(task, request, call);
    },
  });
  const engines = {
    choose: async () => ({ engine: "fake", device: "cpu", reasons: [] }) as const,
    get: async () => engine,
  };
  const hearth = createHearth({ library: createFakeLibrary([{ name: "eyes", info }]), engines });
  const report = await runTaskBench({ hearth, model: "eyes", runs: 1, figureMs: 1, clients: [1, 2], ...options });
  expect(hearth.runtime.loaded()).toEqual([]);
  return { report, asked: [...new Set(asked)] };
}

const signature = { inputs: [{ name: "x", type: "float32", shape: [-1, 3] }], outputs: [] } as const;

test.each([
  [["classify", "infer"], "classify", "pictures"],
  [["detect"], "detect", "pictures"],
  [["depth", "infer"], "depth", "pictures"],
  [["upscale"], "upscale", "pictures"],
  [["remove-background"], "remove-background", "pictures"],
  [["ocr", "infer"], "ocr", "pictures"],
  [["tokens"], "tokens", "texts"],
  [["voice"], "voice", "seconds of sound"],
  [["transcribe", "infer"], "transcribe", "seconds of sound"],
  [["speak"], "speak", "sentences"],
  [["infer"], "infer", "runs"],
] as const)("of a model for %s its %s is measured in %s", async (capabilities, task, items) => {
  const { report, asked } = await bench({ capabilities, signature });
  expect(asked).toEqual([task]);
  expect(report).toMatchObject({ engine: "fake", device: "cpu", rounds: 1, items: { [task]: items } });
  expect(Object.keys(report.ours[task] ?? {})).toEqual(["p50", "p99", "clients1", "clients2"]);
  expect(report.ours["model"]).toMatchObject({ memory: 1024 ** 2 });
  expect(report.ours[task]?.["clients2"]).toBeGreaterThan(0);
});

test("an embedding model gets texts", async () => {
  const { report, asked } = await bench({ capabilities: ["embed", "infer"] });
  expect(asked).toEqual([]);
  expect(report.items).toEqual({ embed: "texts" });
  expect(report).not.toHaveProperty("ratio");
});

test("the raw engine is for ONNX models, and has to be there", async () => {
  const vs = { vs: "raw" } as const;
  await expect(bench({ capabilities: ["detect"], format: "tflite" }, vs)).rejects.toMatchObject({
    code: "unsupported_option",
    message: "--vs raw is for ONNX models that take tensors; this one is tflite.",
  });
  await expect(bench({ capabilities: ["infer"], format: "onnx", signature }, vs)).rejects.toMatchObject({
    code: "engine_missing",
  });
  await expect(bench({ capabilities: [] })).rejects.toMatchObject({ code: "unsupported_capability" });
});

test("tensors follow the signature: free dimensions are 1, whole numbers are 1", () => {
  const inputs = [
    { name: "x", type: "float32", shape: [-1, "height", 3] },
    { name: "mask", type: "int64", shape: ["batch", 2] },
    { name: "word", type: "string", shape: [] },
  ] as const;
  expect(makeTensors(inputs, () => 0.5)).toEqual({
    x: { type: "float32", shape: [1, 1, 3], data: Float32Array.of(0.5, 0.5, 0.5) },
    mask: { type: "int64", shape: [1, 2], data: BigInt64Array.of(1n, 1n) },
    word: { type: "string", shape: [], data: ["word"] },
  });
  expect(() => makeTensors([{ name: "x", type: "int8", shape: [2 ** 40] }], Math.random)).toThrow('The input "x"');
});

test("a text encoder gets tokens, their mask and their kinds; one with other inputs does not", () => {
  const port = (name: string, type: "int64" | "int32" | "float32" = "int64") => ({ name, type, shape: [-1, -1] });
  const made = textTensors([port("input_ids"), port("attention_mask", "int32"), port("token_type_ids")], [7, 8]);
  expect(made).toEqual({
    input_ids: { type: "int64", shape: [1, 2], data: BigInt64Array.of(7n, 8n) },
    attention_mask: { type: "int32", shape: [1, 2], data: Int32Array.of(1, 1) },
    token_type_ids: { type: "int64", shape: [1, 2], data: BigInt64Array.of(0n, 0n) },
  });
  expect(textTensors([port("pixel_values", "float32")], [7])).toBeUndefined();
});

test("a loop keeps each client busy until the time is over, and counts every call once", async () => {
  let [running, most] = [0, 0];
  const seen: number[] = [];
  const { times } = await runLoop(
    async (index) => {
      seen.push(index);
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
    },
    { clients: 3, ms: 0, atLeast: 4 },
  );
  expect([times.length, most]).toEqual([12, 3]);
  expect(seen).toEqual(Array.from({ length: 12 }, (_, index) => index));
  await expect(runLoop(async () => {}, { clients: 1, ms: 0, atLeast: 1, signal: AbortSignal.abort() })).rejects.toThrow(
    /abort/i,
  );
});

test("a round takes each figure of all in turn, and unloads even when a measurement fails", async () => {
  const calls: string[] = [];
  const contestant = (name: string, tasks: readonly string[], fail = false): TaskContestant => ({
    name,
    tasks,
    async load() {
      calls.push(`${name} load`);
    },
    async measure(task, clients) {
      if (fail) throw new Error("broken");
      calls.push(`${name} ${task} ${clients}`);
      return { times: [10, 20], wallMs: 1000 };
    },
    residentBytes: () => undefined,
    async unload() {
      calls.push(`${name} unload`);
    },
  });
  const pair = [contestant("a", ["voice", "infer"]), contestant("b", ["infer"])];
  const figures = await measureTaskRound(pair, { perCall: { voice: 5, infer: 1 }, clients: [8] });
  expect(calls.slice(0, 4)).toEqual(["a load", "b load", "a voice 1", "a voice 8"]);
  expect(calls.slice(4)).toEqual(["b infer 1", "a infer 1", "a infer 8", "b infer 8", "a unload", "b unload"]);
  expect(figures[0]?.["voice"]).toEqual({ p50: 10, p99: 20, clients1: 10, clients8: 10 });
  expect(figures[1]).not.toHaveProperty("voice");
  const broken = [contestant("a", ["infer"]), contestant("c", ["infer"], true)];
  await expect(measureTaskRound(broken, { perCall: { infer: 1 }, clients: [1] })).rejects.toThrow("broken");
  expect(calls.slice(-2)).toEqual(["a unload", "c unload"]);
});

test("the table shows each task, both sides and the ratio; what only one side does has none", () => {
  const figures = (scale: number) => ({
    model: { load: 100 / scale, memory: (64 * 1024 ** 2) / scale },
    infer: { p50: 2 / scale, p99: 4 / scale, clients1: 500 * scale, clients8: 600 * scale },
  });
  const ours = [{ ...figures(2), detect: { p50: 5, p99: 6, clients1: 0.25 } }];
  const report: TaskReport = {
    model: "m",
    engine: "onnx",
    device: "cpu",
    rounds: 1,
    threads: 2,
    fileBytes: 60 * 1024 ** 2,
    seconds: 1,
    items: { detect: "pictures", infer: "runs" },
    machineLoad: { before: 0.1, after: 1 },
    ours: summarizeTasks(ours),
    peer: { name: "raw", figures: summarizeTasks([figures(1)]) },
    ratio: compareTasks(ours, [figures(1)]),
  };
  expect(report.ratio).toEqual({
    model: { load: 2, memory: 2 },
    infer: { p50: 2, p99: 2, clients1: 2, clients8: 2 },
  });
  const text = formatTaskReport(report);
  expect(text).toContain("m: engine onnx on cpu, 2 threads; weights 60.0 MiB");
  expect(text).toMatch(/memory, MiB +32\.0 +64\.0 +2\.00 x/);
  expect(text).toMatch(/infer: p50, ms +1\.00 +2\.00 +2\.00 x/);
  expect(text).toMatch(/infer: 8 clients, runs\/s +1200 +600 +2\.00 x/);
  expect(text).toMatch(/detect: 1 client, pictures\/s +0\.25 +- +-/);
});
