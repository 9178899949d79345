/**
 * Limits that a container puts on this process: control groups of both versions.
 * Source: Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst of the Linux kernel.
 */
import type { Looker } from "./read.ts";

export interface MemoryLimit {
  readonly limitBytes: number;
  /** Room below the limit; pages of files count as free, because the kernel drops them first. */
  readonly availableBytes: number;
}

interface Group {
  readonly version: 1 | 2;
  /** From the mount point down to the group of this process: every one of them limits it. */
  readonly folders: readonly string[];
}

/** The tightest limit, or undefined. A limit that is no smaller than the machine is none. */
export function memoryLimit(look: Looker, totalBytes: number): MemoryLimit | undefined {
  const limits = groups(look, "memory").flatMap(({ version, folders }) =>
    folders.flatMap((folder) => readLimit(look, version, folder) ?? []),
  );
  const real = limits.filter(({ limitBytes }) => limitBytes < totalBytes);
  if (real.length === 0) return undefined;
  return {
    limitBytes: Math.min(...real.map(({ limitBytes }) => limitBytes)),
    availableBytes: Math.max(0, Math.min(...real.map(({ availableBytes }) => availableBytes))),
  };
}

/** CPUs' worth of time that the tightest quota allows, e.g. 1.5; undefined without one. */
export function cpuQuota(look: Looker): number | undefined {
  const quotas = groups(look, "cpu").flatMap(({ version, folders }) =>
    folders.flatMap((folder) => readQuota(look, version, folder) ?? []),
  );
  return quotas.length === 0 ? undefined : Math.min(...quotas);
}

function readLimit(look: Looker, version: 1 | 2, folder: string): MemoryLimit | undefined {
  const number = (name: string): number | undefined => toNumber(look.read(`${folder}/${name}`));
  const limits = version === 2 ? [number("memory.max"), number("memory.high")] : [number("memory.limit_in_bytes")];
  const set = limits.filter((limit) => limit !== undefined);
  if (set.length === 0) return undefined;
  const limitBytes = Math.min(...set);
  const usedBytes = number(version === 2 ? "memory.current" : "memory.usage_in_bytes") ?? 0;
  return { limitBytes, availableBytes: limitBytes - Math.max(0, usedBytes - fileBytes(look, version, folder)) };
}

function fileBytes(look: Looker, version: 1 | 2, folder: string): number {
  const names = version === 2 ? ["inactive_file", "active_file"] : ["total_inactive_file", "total_active_file"];
  let sum = 0;
  for (const line of (look.read(`${folder}/memory.stat`) ?? "").split("\n")) {
    const [name = "", value] = line.split(" ");
    if (names.includes(name)) sum += toNumber(value) ?? 0;
  }
  return sum;
}

function readQuota(look: Looker, version: 1 | 2, folder: string): number | undefined {
  const [quotaText, periodText] =
    version === 2
      ? (look.read(`${folder}/cpu.max`) ?? "").trim().split(" ")
      : [look.read(`${folder}/cpu.cfs_quota_us`), look.read(`${folder}/cpu.cfs_period_us`)];
  const quota = toNumber(quotaText);
  const period = toNumber(periodText);
  return quota !== undefined && quota > 0 && period !== undefined && period > 0 ? quota / period : undefined;
}

/** `max`, -1 and nonsense are no number. */
function toNumber(text: string | undefined): number | undefined {
  const trimmed = text?.trim() ?? "";
  return /^\d+$/.test(trimmed) ? Number(trimmed) : undefined;
}

/** The groups of this process that carry a controller. */
function groups(look: Looker, controller: "memory" | "cpu"): Group[] {
  const mounts = parseMounts(look.read("/proc/self/mountinfo") ?? "");
  return (look.read("/proc/self/cgroup") ?? "").split("\n").flatMap((line): Group[] => {
    const [id, controllers = "", ...rest] = line.split(":");
    const version = id === "0" && controllers === "" ? 2 : 1;
    if (version === 1 && !controllers.split(",").includes(controller)) return [];
    const mount = mounts.find(
      (each) => each.version === version && (version === 2 || each.options.includes(controller)),
    );
    return mount ? [{ version, folders: foldersBelow(mount, rest.join(":")) }] : [];
  });
}

interface Mount {
  readonly version: 1 | 2;
  /** The group that the mount point shows; inside a container this is the container's own. */
  readonly root: string;
  readonly point: string;
  readonly options: readonly string[];
}

/** Fields of a line: id, parent, device, root, mount point, options … - type, source, super options (proc(5)). */
function parseMounts(text: string): Mount[] {
  return text.split("\n").flatMap((line): Mount[] => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "/", point] = before.split(" ");
    const [type, , options = ""] = after.split(" ");
    if (point === undefined || (type !== "cgroup" && type !== "cgroup2")) return [];
    return [{ version: type === "cgroup2" ? 2 : 1, root, point, options: options.split(",") }];
  });
}

function foldersBelow({ root, point }: Mount, group: string): string[] {
  const inside = root !== "/" && group.startsWith(root) ? group.slice(root.length) : group;
  const folders = [point];
  for (const name of inside.split("/")) {
    // `..` appears when the group lies outside of the namespace; then only the mount point can be seen.
    if (name === "..") return [point];
    if (name !== "") folders.push(`${folders.at(-1) ?? ""}/${name}`);
  }
  return folders;
}
