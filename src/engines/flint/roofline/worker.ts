/** A thread that computes as told and answers with its milliseconds. */
import { parentPort } from "node:worker_threads";
import type { PeakKind } from "../kernels/wasm/peak.ts";
import { peakModule } from "../kernels/wasm/peak.ts";
import type { PeakTurn } from "./protocol.ts";

const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true });
const bytes = new Uint8Array(memory.buffer, 0, 1024);
bytes.forEach((_, index) => (bytes[index] = (index * 37) & 0x7f));
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(peakModule()), { memory: { 0: memory } });
const kernels = exports as unknown as Record<PeakKind, (address: number, turns: number) => void>;

parentPort?.on("message", ({ kind, turns }: PeakTurn) => {
  const start = performance.now();
  kernels[kind](0, turns);
  parentPort?.postMessage(performance.now() - start);
});
