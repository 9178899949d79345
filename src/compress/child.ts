/** The process that computes with models, which has the compiler flags of the engine's own: it does one job and ends. */
import { serializeError } from "../error.ts";
import type { Progress } from "../spec/model.ts";
import { evaluateModel } from "./evaluate/evaluate.ts";
import { collectImportance } from "./imatrix/collect.ts";
import type { Job, JobReply, JobResults } from "./isolate.ts";

async function run(job: Job): Promise<JobResults[Job["kind"]]> {
  const onProgress = (progress: Progress): void => reply({ type: "progress", progress });
  switch (job.kind) {
    case "evaluate":
      return await evaluateModel({ ...job.options, onProgress });
    case "importance":
      return await collectImportance(job.path, { ...job.options, onProgress });
  }
}

function reply(message: JobReply): void {
  process.send?.(message);
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
