import { availableParallelism, cpus } from "node:os";
import { cpuQuota } from "./cgroup.ts";
import type { Cpu } from "./contract.ts";
import type { Looker } from "./read.ts";

/** Instruction sets that change which kernels run. The names are those of /proc/cpuinfo. */
const featuresThatMatter: ReadonlySet<string> = new Set(
  [
    "ssse3 sse4_1 sse4_2 avx avx2 f16c fma bmi2 avx_vnni avx_vnni_int8 avx_ifma",
    "avx512f avx512bw avx512dq avx512vl avx512cd avx512_vnni avx512_bf16 avx512_fp16 avx512_vbmi avx512vbmi avx512_vbmi2",
    "amx_tile amx_int8 amx_bf16 amx_fp16",
    "asimd asimddp asimdhp asimdfhm fphp i8mm bf16 sve sve2 svei8mm svebf16 sme sme2",
    "rvv v zvfh",
  ].flatMap((line) => line.split(" ")),
);

/** Model, cores and instruction sets, as far as the system tells. */
export async function probeCpu(look: Looker, platform: NodeJS.Platform = process.platform): Promise<Cpu> {
  const seen =
    platform === "linux"
      ? linuxCpu(look)
      : platform === "darwin"
        ? await macCpu(look)
        : await windowsCpu(look, platform);
  const all = cpus();
  const model = seen.model ?? all[0]?.model.trim();
  const threads = Math.max(seen.threads ?? 0, all.length, 1);
  const usable = Math.min(availableParallelism(), cpuQuota(look) ?? Infinity);
  return {
    ...(model ? { model } : {}),
    ...(seen.physicalCores === undefined ? {} : { physicalCores: seen.physicalCores }),
    threads,
    usableThreads: Math.max(1, usable),
    features: seen.features,
  };
}

export interface SeenCpu {
  readonly model?: string | undefined;
  readonly physicalCores?: number | undefined;
  readonly threads?: number | undefined;
  readonly features: readonly string[];
}

/** From /proc/cpuinfo; cores of ARM machines from /sys, because their cpuinfo does not tell threads from cores. */
export function linuxCpu(look: Looker): SeenCpu {
  const blocks = (look.read("/proc/cpuinfo") ?? "")
    .split(/\n\s*\n/)
    .map(parseBlock)
    .filter((block) => block.has("processor"));
  const first = blocks[0];
  const flags = first?.get("flags") ?? first?.get("Features") ?? "";
  return {
    model: first?.get("model name") ?? first?.get("Model"),
    physicalCores: physicalCores(blocks) ?? siblingGroups(look),
    threads: blocks.length > 0 ? blocks.length : undefined,
    features: pickFeatures(flags.split(" ")),
  };
}

function parseBlock(block: string): ReadonlyMap<string, string> {
  const rows = block.split("\n").map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, Math.max(0, colon)).trim(), line.slice(colon + 1).trim()] as const;
  });
  return new Map(rows);
}

function physicalCores(blocks: readonly ReadonlyMap<string, string>[]): number | undefined {
  const cores = new Set<string>();
  for (const block of blocks) {
    const core = block.get("core id");
    if (core === undefined) return undefined;
    cores.add(`${block.get("physical id") ?? "0"}/${core}`);
  }
  return cores.size > 0 ? cores.size : undefined;
}

function siblingGroups(look: Looker): number | undefined {
  const folder = "/sys/devices/system/cpu";
  const groups = new Set<string>();
  for (const name of look.entries(folder)) {
    if (!/^cpu\d+$/.test(name)) continue;
    const siblings = look.read(`${folder}/${name}/topology/thread_siblings_list`)?.trim();
    if (siblings) groups.add(siblings);
  }
  return groups.size > 0 ? groups.size : undefined;
}

function pickFeatures(names: Iterable<string>): string[] {
  const known = [...names].map((name) => name.trim().toLowerCase()).filter((name) => featuresThatMatter.has(name));
  return [...new Set(known)].sort();
}

/** What macOS calls the features that Linux has other names for. */
const macNames: Readonly<Record<string, string>> = {
  AVX1_0: "avx",
  "SSE4.1": "sse4_1",
  "SSE4.2": "sse4_2",
  AVX512F: "avx512f",
  AVX512BW: "avx512bw",
  AVX512VL: "avx512vl",
  AVX512VNNI: "avx512_vnni",
  AdvSIMD: "asimd",
  FEAT_DotProd: "asimddp",
  FEAT_FP16: "asimdhp",
  FEAT_FHM: "asimdfhm",
  FEAT_I8MM: "i8mm",
  FEAT_BF16: "bf16",
  FEAT_SME: "sme",
  FEAT_SME2: "sme2",
};

async function macCpu(look: Looker): Promise<SeenCpu> {
  return parseSysctl(
    (await look.run("sysctl", ["machdep.cpu", "hw.physicalcpu", "hw.logicalcpu", "hw.optional"])) ?? "",
  );
}

/** Output of `sysctl machdep.cpu hw.physicalcpu hw.logicalcpu hw.optional`. */
export function parseSysctl(text: string): SeenCpu {
  const rows = parseBlock(text);
  const words = ["machdep.cpu.features", "machdep.cpu.leaf7_features"].flatMap((key) =>
    (rows.get(key) ?? "").split(" "),
  );
  for (const [key, value] of rows) {
    if (key.startsWith("hw.optional.") && value === "1") words.push(key.slice(key.lastIndexOf(".") + 1));
  }
  const count = (key: string): number | undefined => (rows.has(key) ? Number(rows.get(key)) : undefined);
  return {
    model: rows.get("machdep.cpu.brand_string"),
    physicalCores: count("hw.physicalcpu"),
    threads: count("hw.logicalcpu"),
    features: pickFeatures(words.map((word) => macNames[word] ?? word)),
  };
}

/** Windows tells cores, but no instruction sets, without native code. */
async function windowsCpu(look: Looker, platform: NodeJS.Platform): Promise<SeenCpu> {
  if (platform !== "win32") return { features: [] };
  const command = "(Get-CimInstance Win32_Processor | Measure-Object -Sum NumberOfCores).Sum";
  const cores = Number((await look.run("powershell.exe", ["-NoProfile", "-Command", command])) ?? "");
  return { physicalCores: Number.isSafeInteger(cores) && cores > 0 ? cores : undefined, features: [] };
}
