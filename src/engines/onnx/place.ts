/** Where the sessions of a model run: on the device that was asked for if that computes what the CPU does. */
import type { Device } from "../../spec/engine.ts";
import { differs } from "./compare.ts";
import { probeFeeds } from "./probe.ts";
import type { Provider } from "./provider.ts";
import { cpuProvider, findProvider } from "./provider.ts";
import { importRuntime } from "./runtime.ts";
import type { OnnxSession, Tensors } from "./session.ts";
import { createSession } from "./session.ts";

export interface PlaceOptions {
  /** URL of onnxruntime-node. */
  readonly module: string;
  readonly device: Device;
  readonly threads: number;
  /** All files of the model that sessions are made of. */
  readonly paths: readonly string[];
  readonly notice: (text: string) => void;
}

/** Sizes of free dimensions that are tried until the CPU takes one. */
const sizes = [8, 64, 224, 640, 512];

/** Falls back to the CPU with a printed reason: no provider, a file that it does not load, or other numbers than the CPU's. */
export async function choosePlace(options: PlaceOptions): Promise<Provider> {
  const { module, device, paths, notice } = options;
  const found = findProvider(device, await importRuntime(module));
  if (typeof found !== "string" && found.device === "cpu") return found;
  const reason = typeof found === "string" ? found : await firstReason(paths, found, options);
  if (reason === undefined && typeof found !== "string") return found;
  notice(`The model runs on the CPU, not on ${device}: ${reason ?? ""}.`);
  return cpuProvider;
}

async function firstReason(
  paths: readonly string[],
  provider: Provider,
  options: PlaceOptions,
): Promise<string | undefined> {
  for (const path of paths) {
    const reason = await check(path, provider, options);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

async function check(
  path: string,
  { device, providers }: Provider,
  { module, threads }: PlaceOptions,
): Promise<string | undefined> {
  const onCpu = await createSession({ module, path, threads });
  try {
    const probe = await runProbe(onCpu);
    if (!probe) return `there is no input by which ${device} could be checked`;
    const session = await createSession({ module, path, threads, providers });
    try {
      return differs(await session.run(probe.feeds), probe.outputs);
    } finally {
      await session.dispose();
    }
  } catch (error) {
    return error instanceof Error ? error.message.replace(/\.$/, "") : String(error);
  } finally {
    await onCpu.dispose();
  }
}

async function runProbe(
  session: OnnxSession,
): Promise<{ readonly feeds: Tensors; readonly outputs: Tensors } | undefined> {
  for (const size of sizes) {
    const feeds = probeFeeds(session.inputs, size);
    if (!feeds) return undefined;
    try {
      return { feeds, outputs: await session.run(feeds) };
    } catch {
      // Another size may suit the model.
    }
  }
  return undefined;
}
