/** The process that computes with models, which has the compiler flags of the engine's own: it does one job and ends. */
import { serializeError } from "../error.ts";
import type { Progress } from "../spec/model.ts";
import type { Job, JobReply, JobResults } from "./isolate.ts";

/** Only the code of the job is loaded. */
async function run(job: Job): Promise<JobResults[Job["kind"]]> {
  const onProgress = (progress: Progress): void => void reply({ type: "progress", progress });
  switch (job.kind) {
    case "evaluate":
      return await (await import("./evaluate/evaluate.ts")).evaluateModel({ ...job.options, onProgress });
    case "fill":
      return await (await import("./calibrate/fill.ts")).fillFolder({ ...job.options, onProgress });
    case "label":
      return await (await import("./distill/classify/label.ts")).labelTexts({ ...job.options, onProgress });
    case "learn":
      return await (await import("./distill/learn.ts")).learn({ ...job.options, onProgress });
    case "importance":
      return await (await import("./imatrix/collect.ts")).collectImportance(job.path, { ...job.options, onProgress });
    case "onnx":
      return await (await import("./onnx/job.ts")).runOnnxJob(job.job, onProgress);
  }
}

/** Resolves when it has gone: a large one takes several writes, which would end with the channel. */
async function reply(message: JobReply): Promise<void> {
  await new Promise<void>((resolve) => void process.send?.(message, undefined, undefined, () => resolve()));
}

process.once("message", (job: Job) => {
  void run(job)
    .then(
      (value) => reply({ type: "result", value }),
      (error: unknown) => reply({ type: "error", error: serializeError(error) }),
    )
    .finally(() => process.disconnect?.());
});
// Nobody waits any more.
process.once("disconnect", () => process.exit());
