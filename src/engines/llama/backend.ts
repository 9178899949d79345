import { availableParallelism } from "node:os";
import type * as NodeLlamaCpp from "node-llama-cpp";
import type { Llama } from "node-llama-cpp";
import { HearthError } from "../../error.ts";
import type { Device, LoadOptions } from "../../spec/engine.ts";
import type { LlamaLibrary, LlamaSetup } from "./setup.ts";

export type LlamaModule = typeof NodeLlamaCpp;

export interface Backend {
  readonly library: LlamaModule;
  readonly llama: Llama;
  readonly device: Exclude<Device, "auto">;
  readonly threads: number;
}

/** Loads the first library that works. Says so when that is not the first one. */
export async function openBackend(
  { libraries }: LlamaSetup,
  options: LoadOptions,
  notice: (text: string) => void,
): Promise<Backend> {
  const failures: string[] = [];
  for (const candidate of libraries) {
    try {
      const backend = await open(candidate, options);
      if (failures.length > 0) notice(`The model runs on ${candidate.device}: ${failures.join("; ")}.`);
      return backend;
    } catch (error) {
      failures.push(`${candidate.device} does not work here (${reason(error)})`);
    }
  }
  throw new HearthError("engine_load_failed", `llama.cpp could not be started: ${failures.join("; ")}.`, {
    hint: "Try `--device cpu`, or `hearth engines update` if an engine pack is damaged. `hearth doctor` shows what this machine has.",
  });
}

async function open({ module, device }: LlamaLibrary, options: LoadOptions): Promise<Backend> {
  const library = (await import(module)) as LlamaModule;
  const threads = options.threads ?? 0;
  const llama = await library.getLlama({
    gpu: device === "cuda" || device === "vulkan" || device === "metal" ? device : false,
    build: "never",
    skipDownload: true,
    progressLogs: false,
    logLevel: library.LlamaLogLevel.warn,
    // To the parent's log tail; nobody else reads this process's output.
    logger: (level, message) => process.stderr.write(`${level}: ${message.trimEnd()}\n`),
    ...(threads > 0 && { maxThreads: threads }),
  });
  return { library, llama, device, threads: threads || defaultThreads(llama) };
}

/** One thread per physical core, no more than this process may use. */
function defaultThreads(llama: Llama): number {
  return Math.max(1, Math.min(llama.cpuMathCores, availableParallelism()));
}

function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split("\n")[0] ?? "").replace(/\.$/, "") || "no binary";
}
