import type { Runtime } from "../runtime/contract.ts";
import type { TaskName } from "../spec/perform.ts";
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
  return await withLease(runtime, request, async ({ model, info, loaded, loadMs }) => {
    const { task, input, signal, onPart } = request;
    if (!loaded.perform || !loaded.capabilities.includes(task)) {
      throw unable(model.name, task, loaded.capabilities.length > 0 ? loaded.capabilities : info.capabilities);
    }
    try {
      const output = await loaded.perform(task, input, { ...(signal && { signal }), ...(onPart && { onPart }) });
      return { model: model.name, output, loadMs, totalMs: performance.now() - startedAt };
    } catch (error) {
      throw toTaskError(error, signal);
    }
  });
}
