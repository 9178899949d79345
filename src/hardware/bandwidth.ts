import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { ReadBandwidth } from "./contract.ts";
import { readKernel, turnBytes } from "./kernel.ts";
import { systemMemory } from "./memory.ts";
import { formatBytes } from "../util/format.ts";
import { raceAbort } from "../util/abort.ts";

export interface BandwidthOptions {
  /** One per physical core is enough. */
  readonly threads: number;
  /** Bytes that all threads together read in one pass, at most 2 GiB. Default 512 MiB, less where memory is short. */
  readonly sizeBytes?: number;
  /** Default 5; the best one counts. */
  readonly passes?: number;
  readonly signal?: AbortSignal;
}

const pageBytes = 65_536;
const defaultBytes = 512 * 1024 ** 2;
/** Addresses of the module have 32 bits. */
const mostBytes = 2 * 1024 ** 3;
const mostThreads = 64;

/** Waits for `true`, reads its slice once, answers. A string, so that it is there in every kind of build. */
const workerSource = `
const { parentPort, workerData } = require("node:worker_threads");
const { kernel, memory, from, to } = workerData;
new Uint8Array(memory.buffer, from, to - from).fill(1);
const { sum } = new WebAssembly.Instance(new WebAssembly.Module(kernel), { m: { m: memory } }).exports;
sum(from, to);
parentPort.on("message", () => parentPort.postMessage(sum(from, to)));
parentPort.postMessage(0n);
`;

/**
 * Reads memory with all threads at once for a fraction of a second. Undefined where threads or that much shared memory
 * cannot be had. Throws only the reason of the signal. Measure once and keep the result: it disturbs whatever computes.
 */
export async function measureReadBandwidth(options: BandwidthOptions): Promise<ReadBandwidth | undefined> {
  options.signal?.throwIfAborted();
  const threads = Math.min(mostThreads, Math.max(1, Math.floor(options.threads)));
  const workers: Worker[] = [];
  try {
    const wanted = Math.min(mostBytes, options.sizeBytes ?? Math.min(defaultBytes, systemMemory().availableBytes / 8));
    const slice = Math.max(turnBytes, Math.floor(wanted / threads / turnBytes) * turnBytes);
    startWorkers(workers, threads, slice);
    return await raceAbort(measure(workers, slice * threads, options.passes ?? 5), options.signal);
  } catch {
    options.signal?.throwIfAborted();
    return undefined;
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function startWorkers(workers: Worker[], threads: number, slice: number): void {
  const pages = Math.ceil((slice * threads) / pageBytes);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const kernel = readKernel(pages);
  for (let index = 0; index < threads; index++) {
    const workerData = { kernel, memory, from: index * slice, to: (index + 1) * slice };
    workers.push(new Worker(workerSource, { eval: true, workerData, stderr: true }));
  }
}

async function measure(workers: readonly Worker[], bytes: number, passes: number): Promise<ReadBandwidth> {
  await answers(workers);
  let bestMs = Infinity;
  for (let pass = 0; pass < passes; pass++) {
    const all = answers(workers);
    const started = performance.now();
    for (const worker of workers) worker.postMessage(true);
    await all;
    bestMs = Math.min(bestMs, performance.now() - started);
  }
  const threads = workers.length;
  const method =
    `Best of ${passes} passes over ${formatBytes(bytes)} of memory with ${threads} ${threads === 1 ? "thread" : "threads"}, ` +
    "16 bytes a read in WebAssembly; a cache larger than that flatters it, other programs that compute lower it.";
  return { bytesPerSecond: (bytes * 1000) / bestMs, threads, bytes, passes, method };
}

async function answers(workers: readonly Worker[]): Promise<void> {
  await Promise.all(workers.map((worker) => once(worker, "message")));
}
