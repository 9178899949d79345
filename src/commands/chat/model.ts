/** Getting a model ready before it is asked: on this machine, and in memory. */
import { HearthError } from "../../error.ts";
import type { LoadOptions } from "../../spec/engine.ts";
import type { InstalledModel } from "../../spec/model.ts";
import type { Context } from "../command.ts";

type Ready = Pick<Context, "hearth" | "settings" | "signal" | "status">;

/** The model, fetched first when it is missing. */
export async function ensureModel(context: Ready, name: string): Promise<InstalledModel> {
  const { library } = await context.hearth();
  try {
    return await library.resolve(name);
  } catch (error) {
    if (!(error instanceof HearthError) || error.code !== "model_not_found") throw error;
  }
  return await pullModel(context, name);
}

export async function pullModel(context: Ready, name: string): Promise<InstalledModel> {
  const { library } = await context.hearth();
  try {
    return await library.pull(name, { signal: context.signal, onProgress: context.status.update });
  } finally {
    context.status.clear();
  }
}

const briefMs = 60_000;

/** Loads the model now, with its progress on stderr: what cannot be loaded is said before anything is asked. */
export async function loadModel(context: Ready, model: string, load: LoadOptions | undefined): Promise<void> {
  const { runtime } = await context.hearth();
  try {
    const lease = await runtime.acquire({
      model,
      ...(load && { load }),
      // Long enough for the first question, also when a keep-alive of 0 unloads after each.
      keepAliveMs: Math.max(context.settings.keepAlive, briefMs),
      signal: context.signal,
      onProgress: context.status.update,
    });
    lease.release();
  } finally {
    context.status.clear();
  }
}
