/** Work with models in a process of its own, which can be killed at any time and gives all its memory back. */
import { fork } from "node:child_process";
import { engineEnvironment } from "../config/environment.ts";
import { flintFlags } from "../engines/flint/flags.ts";
import type { SerializedError } from "../error.ts";
import { deserializeError, HearthError } from "../error.ts";
import type { Progress } from "../spec/model.ts";
import { abortError } from "../util/abort.ts";
import { createDeferred } from "../util/deferred.ts";
import type { Filled, FillOptions } from "./calibrate/fill.ts";
import type { Labelled, LabelOptions } from "./distill/classify/label.ts";
import type { Learned, LearnOptions } from "./distill/contract.ts";
import type { Evaluation } from "./evaluate/contract.ts";
import type { EvaluateOptions } from "./evaluate/evaluate.ts";
import type { Collected, CollectOptions } from "./imatrix/collect.ts";
import type { OnnxJob, OnnxResults } from "./onnx/contract.ts";

/** What the process is told: options without functions and signals. */
export type Job =
  | { readonly kind: "evaluate"; readonly options: EvaluateOptions }
  | { readonly kind: "importance"; readonly path: string; readonly options: CollectOptions }
  | { readonly kind: "learn"; readonly options: LearnOptions }
  | { readonly kind: "label"; readonly options: LabelOptions }
  | { readonly kind: "fill"; readonly options: FillOptions }
  | { readonly kind: "onnx"; readonly job: OnnxJob };

export interface JobResults {
  readonly evaluate: Evaluation;
  readonly importance: Collected;
  readonly learn: Learned;
  readonly label: Labelled;
  readonly fill: Filled;
  readonly onnx: OnnxResults[OnnxJob["task"]];
}

export type JobReply =
  | { readonly type: "progress"; readonly progress: Progress }
  | { readonly type: "result"; readonly value: unknown }
  | { readonly type: "error"; readonly error: SerializedError };

export async function evaluateIsolated(options: EvaluateOptions): Promise<Evaluation> {
  const { signal, onProgress, ...plain } = options;
  return await runJob({ kind: "evaluate", options: plain }, { signal, onProgress });
}

export async function collectIsolated(path: string, options: CollectOptions): Promise<Collected> {
  const { signal, onProgress, ...plain } = options;
  return await runJob({ kind: "importance", path, options: plain }, { signal, onProgress });
}

/** Work with ONNX Runtime. */
export async function runOnnx<Task extends OnnxJob["task"]>(
  job: Extract<OnnxJob, { task: Task }>,
  call: JobCall,
): Promise<OnnxResults[Task]> {
  // The child answers a task with the result of its kind.
  return (await runJob({ kind: "onnx", job }, call)) as OnnxResults[Task];
}

export async function fillIsolated(options: FillOptions, signal?: AbortSignal): Promise<Filled> {
  const { onProgress, ...plain } = options;
  return await runJob({ kind: "fill", options: plain }, { signal, onProgress });
}

export async function learnIsolated(options: LearnOptions): Promise<Learned> {
  const { signal, onProgress, ...plain } = options;
  return await runJob({ kind: "learn", options: plain }, { signal, onProgress });
}

export async function labelIsolated(options: LabelOptions): Promise<Labelled> {
  const { signal, onProgress, ...plain } = options;
  return await runJob({ kind: "label", options: plain }, { signal, onProgress });
}

interface JobCall {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Throws what the job throws, `engine_failed` where its process dies, and the reason of the signal. */
async function runJob<K extends Job["kind"]>(
  job: Extract<Job, { kind: K }>,
  { signal, onProgress }: JobCall,
): Promise<JobResults[K]> {
  signal?.throwIfAborted();
  const entry = new URL(`./child.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
  const { promise, resolve, reject } = createDeferred<unknown>();
  const child = fork(entry, [], {
    env: engineEnvironment(),
    execArgv: [...flintFlags],
    // Maps and typed arrays come back.
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const onAbort = (): void => reject(signal ? abortError(signal) : undefined);
  signal?.addEventListener("abort", onAbort, { once: true });
  child.on("error", reject);
  child.on("exit", (code, killed) => {
    const fail = (): void =>
      reject(
        new HearthError("engine_failed", `The process that computed ended with ${killed ?? code ?? "no code"}.`, {
          hint: "It may have had too little memory: try a smaller model, or close other programs.",
        }),
      );
    // What it sent last may still be on its way.
    if (child.connected) child.once("disconnect", fail);
    else fail();
  });
  child.on("message", (message) => {
    const reply = message as JobReply;
    if (reply.type === "progress") onProgress?.(reply.progress);
    else if (reply.type === "result") resolve(reply.value);
    else reject(deserializeError(reply.error));
  });
  try {
    child.send(job);
    // The child answers a job with the result of its kind.
    return (await promise) as JobResults[K];
  } finally {
    signal?.removeEventListener("abort", onAbort);
    child.kill("SIGKILL");
  }
}
