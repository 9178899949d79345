/** The process that measures: it has the compiler flags of the engine's own. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { PeakKind } from "../kernels/wasm/peak.ts";
import { peakOperations } from "../kernels/wasm/peak.ts";
import type { PeakRates, PeakRequest, PeakTurn } from "./protocol.ts";

const passes = 5;
const passMs = 40;
const warmTurns = 20_000;

/** All threads at once; milliseconds of the slowest. */
async function run(workers: readonly Worker[], turn: PeakTurn): Promise<number> {
  const answers = workers.map((worker) => once(worker, "message"));
  for (const worker of workers) worker.postMessage(turn);
  return Math.max(...(await Promise.all(answers)).map(([ms]) => Number(ms)));
}

/** Operations per second of all threads, the best of a few passes. */
async function measure(workers: readonly Worker[], kind: PeakKind): Promise<number> {
  await run(workers, { kind, turns: warmTurns });
  const warmMs = await run(workers, { kind, turns: warmTurns });
  const turns = Math.max(warmTurns, Math.round((warmTurns * passMs) / warmMs));
  let bestMs = Infinity;
  for (let pass = 0; pass < passes; pass++) bestMs = Math.min(bestMs, await run(workers, { kind, turns }));
  return (turns * peakOperations * workers.length * 1000) / bestMs;
}

async function measureAll(threads: number): Promise<PeakRates> {
  const entry = new URL(`./worker.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
  const workers = Array.from({ length: threads }, () => new Worker(entry));
  try {
    const rates = async (kind: PeakKind): Promise<PeakRates[PeakKind]> => ({
      oneThread: await measure(workers.slice(0, 1), kind),
      allThreads: await measure(workers, kind),
    });
    return { pairs: await rates("pairs"), quads: await rates("quads") };
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

process.once("message", ({ threads }: PeakRequest) => {
  void (async () => {
    process.send?.(await measureAll(threads));
    process.disconnect?.();
  })();
});
