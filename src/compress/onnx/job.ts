/** Work with ONNX Runtime, in a child process. */
import { createSession } from "../../engines/onnx/session.ts";
import type { OnnxSession, Tensors } from "../../engines/onnx/session.ts";
import type { Progress } from "../../spec/model.ts";
import { Comparison } from "./compare.ts";
import type { OnnxComparison, OnnxJob, OnnxResults } from "./contract.ts";
import type { Range } from "./ranges.ts";
import { readSamples } from "./samples.ts";

type Report = (progress: Progress) => void;

export async function runOnnxJob(job: OnnxJob, onProgress: Report): Promise<OnnxResults[OnnxJob["task"]]> {
  return job.task === "ranges" ? await findRanges(job, onProgress) : await compare(job, onProgress);
}

async function findRanges(
  job: Extract<OnnxJob, { task: "ranges" }>,
  onProgress: Report,
): Promise<OnnxResults["ranges"]> {
  const { path, module, threads, values } = job;
  const session = await createSession({ module, path, threads });
  const ranges = new Map<string, { least: number; most: number }>();
  const made = values.filter((name) => session.outputs.some((port) => port.name === name));
  let samples = 0;
  for (const feeds of readSamples(job.samples, job.inputs)) {
    const results = made.length > 0 ? await session.run(feeds, made) : {};
    for (const name of values) widen(ranges, name, results[name] ?? feeds[name]);
    report(onProgress, "calibration", ++samples);
  }
  await session.dispose();
  return { samples, ranges };
}

function widen(ranges: Map<string, Range>, name: string, tensor: Tensors[string] | undefined): void {
  if (!tensor) return;
  let { least, most } = ranges.get(name) ?? { least: Infinity, most: -Infinity };
  for (const value of tensor.data as Float32Array) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  ranges.set(name, { least, most });
}

async function compare(job: Extract<OnnxJob, { task: "compare" }>, onProgress: Report): Promise<OnnxComparison> {
  const { module, threads } = job;
  const reference = await createSession({ module, path: job.reference, threads });
  const model = await createSession({ module, path: job.model, threads });
  const comparison = new Comparison();
  const times = { reference: 0, model: 0 };
  let samples = 0;
  for (const feeds of readSamples(job.samples, job.inputs)) {
    // The first run of a shape lays out memory: it is not timed.
    if (samples === 0) for (const session of [reference, model]) await session.run(feeds);
    const [expected, found] = [await timed(reference, feeds), await timed(model, feeds)];
    times.reference += expected.ms;
    times.model += found.ms;
    comparison.add(expected.results, found.results);
    report(onProgress, "comparison", ++samples);
  }
  await reference.dispose();
  await model.dispose();
  return {
    samples,
    outputs: comparison.outputs(),
    referenceMs: times.reference / samples,
    modelMs: times.model / samples,
  };
}

async function timed(session: OnnxSession, feeds: Tensors) {
  const started = performance.now();
  const results = await session.run(feeds);
  return { results, ms: performance.now() - started };
}

function report(onProgress: Report, label: string, completedBytes: number): void {
  onProgress({ phase: "measure", label, completedBytes });
}
