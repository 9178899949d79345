import { fork } from "node:child_process";
import { once } from "node:events";
import { flintFlags } from "../flags.ts";
import type { PeakRates, PeakRequest } from "./protocol.ts";

export interface PeakOptions {
  readonly threads: number;
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The most int8 products that this machine computes, in a process and with the compiler flags of the engine. Undefined
 * where its WebAssembly lacks the instructions. Throws only the reason of the signal.
 */
export async function measurePeak({ threads, env, signal }: PeakOptions): Promise<PeakRates | undefined> {
  signal?.throwIfAborted();
  const entry = new URL(`./child.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
  const child = fork(entry, [], { env, execArgv: [...flintFlags], stdio: ["ignore", "ignore", "ignore", "ipc"] });
  const onAbort = (): void => void child.kill();
  signal?.addEventListener("abort", onAbort, { once: true });
  const rates = Promise.race([
    once(child, "message").then(([message]) => message as PeakRates),
    once(child, "exit").then(() => undefined),
  ]);
  try {
    child.send({ threads } satisfies PeakRequest);
    return await rates;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    child.kill();
    signal?.throwIfAborted();
  }
}
