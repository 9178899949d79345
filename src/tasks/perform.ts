import type { Runtime } from "../runtime/contract.ts";
import type { TaskName, Tasks } from "../spec/perform.ts";
import type { PerformTaskRequest, PerformTaskResult } from "../spec/task.ts";
import { unable } from "./capability.ts";
import { toTaskError } from "./failure.ts";
import { withLease } from "./lease.ts";

/** Runs a task on the model that the request names. Throws `unsupported_capability` where that cannot do it. */
export async function perform<Name extends TaskName>(
  runtime: Runtime,
  request: PerformTaskRequest<Name>,
): Promise<PerformTaskResult<Name>> {
  const startedAt = performance.now();
  const result = await withLease(runtime, request, async ({ model, info, loaded, loadMs }) => {
    const { task, input, signal, onPart } = request;
    if (task === "caption" && !loaded.capabilities.includes(task) && loaded.capabilities.includes("vision"))
      return { by: "chat", model: model.name, loadMs } as const;
    if (!loaded.perform || !loaded.capabilities.includes(task)) {
      throw unable(model.name, task, loaded.capabilities.length > 0 ? loaded.capabilities : info.capabilities);
    }
    try {
      const output = await loaded.perform(task, input, { ...(signal && { signal }), ...(onPart && { onPart }) });
      return { by: "task", model: model.name, output, loadMs, totalMs: performance.now() - startedAt } as const;
    } catch (error) {
      throw toTaskError(error, signal);
    }
  });
  if (result.by === "task") {
    const { model, output, loadMs, totalMs } = result;
    return { model, output, loadMs, totalMs };
  }
  // The chat takes a turn of its own.
  const { captionByChat } = await import("./caption.ts");
  const asked = request as unknown as PerformTaskRequest<"caption">;
  const output: Tasks[Name]["result"] = await captionByChat(runtime, asked);
  return { model: result.model, output, loadMs: result.loadMs, totalMs: performance.now() - startedAt };
}
