/** Requests without a prompt: they load a model, or unload it with `keep_alive: 0`. */
import type { TaskOptions } from "../../spec/task.ts";
import type { Hearth } from "../../tasks/contract.ts";
import type { Reply } from "../route.ts";
import { defined } from "../shared/defined.ts";
import { idleAnswer } from "./answer.ts";
import { resolveModel, withModel } from "./names.ts";

/** `fields`: the empty fields of the endpoint's answer. */
export async function loadOrUnload(hearth: Hearth, task: TaskOptions, fields: object): Promise<Reply> {
  if (task.keepAliveMs === 0) {
    const { name } = await resolveModel(hearth.library, task.model);
    const unloaded = await hearth.runtime.stop(name);
    return idleAnswer(task.model, "unload", { ...fields, hearth: { unloaded } });
  }
  await loadModel(hearth, task);
  return idleAnswer(task.model, "load", fields);
}

export async function loadModel(hearth: Hearth, task: TaskOptions): Promise<void> {
  const { model, load, keepAliveMs, tenant, priority, signal } = task;
  const request = { model, ...defined({ load, keepAliveMs, tenant, priority, signal }) };
  const lease = await withModel(model, async () => await hearth.runtime.acquire(request));
  lease.release();
}
