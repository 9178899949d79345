import { freemem, totalmem } from "node:os";
import { memoryLimit } from "./cgroup.ts";
import type { MemoryState } from "./contract.ts";
import { type Looker, machine } from "./read.ts";

/** Memory of this machine or container, now. Cheap enough to be called for every load. */
export function systemMemory(): MemoryState {
  // On Linux the kernel's own figures; elsewhere libuv's, which counts what can be reclaimed on macOS.
  return (
    linuxMemory(machine) ?? { totalBytes: totalmem(), availableBytes: Math.max(freemem(), process.availableMemory()) }
  );
}

/** From /proc/meminfo and the control groups; undefined where there is no such file. */
export function linuxMemory(look: Looker): MemoryState | undefined {
  const text = look.read("/proc/meminfo");
  if (text === undefined) return undefined;
  const field = (name: string): number | undefined => {
    const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  };
  const totalBytes = field("MemTotal");
  if (totalBytes === undefined) return undefined;
  // Kernels before 3.14 have no MemAvailable.
  const availableBytes = field("MemAvailable") ?? (field("MemFree") ?? 0) + (field("Cached") ?? 0);
  const limit = memoryLimit(look, totalBytes);
  if (!limit) return { totalBytes, availableBytes };
  return {
    totalBytes: limit.limitBytes,
    availableBytes: Math.min(availableBytes, limit.availableBytes),
    limitBytes: limit.limitBytes,
  };
}
