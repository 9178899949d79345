import type { Hardware } from "./contract.ts";
import { probeCpu } from "./cpu.ts";
import { probeGpus } from "./gpu.ts";
import { systemMemory } from "./memory.ts";
import { machine } from "./read.ts";

/** What this machine has. Best effort and no native code: what cannot be found out is absent. Takes up to 5 s per tool. */
export async function probeHardware(): Promise<Hardware> {
  const { platform, arch: architecture } = process;
  const cpu = await probeCpu(machine);
  const gpus = await probeGpus(machine, { platform, architecture, cpuModel: cpu.model });
  return { platform, architecture, cpu, memory: systemMemory(), gpus };
}
