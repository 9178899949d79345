/** What `hearth doctor` looks at, in this order. */
import { access, constants, mkdir } from "node:fs/promises";
import { dataFolder } from "../../config/paths.ts";
import { settingsTable, type Settings } from "../../config/settings.ts";
import { formatBytes } from "../../util/format.ts";
import type { Context } from "../command.ts";
import { readCache } from "../cache.ts";
import { settingText } from "../setting-text.ts";
import type { PackRow } from "../services.ts";
import { connectServer, serverUrl } from "../connect.ts";
import { packageVersion } from "../../util/package.ts";

export interface Finding {
  readonly name: string;
  readonly status: "ok" | "note" | "wrong";
  readonly text: string;
  /** How to mend it. */
  readonly hint?: string;
}

export interface Check {
  readonly name: string;
  readonly check: (context: Context) => Promise<Finding[]>;
}

export const checks: readonly Check[] = [
  { name: "version", check: checkVersion },
  { name: "hardware", check: checkHardware },
  { name: "settings", check: checkSettings },
  { name: "data folder", check: checkData },
  { name: "models", check: checkModels },
  { name: "cache", check: checkCache },
  { name: "engines", check: checkEngines },
  { name: "hub", check: checkHub },
  { name: "server", check: checkServer },
];

async function checkVersion(): Promise<Finding[]> {
  const { version, platform, arch } = process;
  return [{ name: "version", status: "ok", text: `hearth ${packageVersion()}, Node ${version}, ${platform} ${arch}` }];
}

async function checkHardware({ services }: Context): Promise<Finding[]> {
  const { cpu, memory, gpus } = await services.probeHardware();
  const cores = cpu.physicalCores === undefined ? "" : `${cpu.physicalCores} cores, `;
  const vectors = cpu.features.length === 0 ? "" : ` (${cpu.features.join(" ")})`;
  const findings: Finding[] = [
    {
      name: "cpu",
      status: "ok",
      text: `${cpu.model ?? "unknown"}, ${cores}${cpu.usableThreads} usable threads${vectors}`,
    },
    {
      name: "memory",
      status: memory.availableBytes < 1024 ** 3 ? "note" : "ok",
      text: `${formatBytes(memory.availableBytes)} free of ${formatBytes(memory.limitBytes ?? memory.totalBytes)}`,
      ...(memory.availableBytes < 1024 ** 3 && { hint: "Few models fit in less than 1 GiB; end other programs." }),
    },
  ];
  for (const gpu of gpus) {
    const size = gpu.totalBytes === undefined ? "" : `, ${formatBytes(gpu.totalBytes)}`;
    findings.push({ name: "gpu", status: "ok", text: `${gpu.name}${size} (${gpu.api}, by ${gpu.source})` });
  }
  if (gpus.length === 0) findings.push({ name: "gpu", status: "ok", text: "none found; models run on the CPU" });
  return findings;
}

/** Only what differs from the defaults. Keys and tokens are never shown. */
async function checkSettings({ settings, sources }: Context): Promise<Finding[]> {
  const secret: readonly (keyof Settings)[] = ["apiKey", "hubToken"];
  const names = (Object.keys(settingsTable) as (keyof Settings)[]).filter((name) => sources[name] !== "default");
  if (names.length === 0) return [{ name: "settings", status: "ok", text: "all are at their defaults" }];
  return names.map((name) => ({
    name: "settings",
    status: "ok",
    text: `${settingsTable[name].flag} = ${secret.includes(name) ? "(hidden)" : settingText(name, settings[name])}, from ${sourceText(sources[name])}`,
  }));
}

function sourceText(source: string): string {
  if (source === "flag") return "a flag";
  return source === "environment" ? "the environment" : "settings.json";
}

async function checkData({ settings, services }: Context): Promise<Finding[]> {
  const folder = settings.data ?? dataFolder();
  const name = "data folder";
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.R_OK | constants.W_OK);
  } catch {
    const hint = "Give yourself the right to write there, or set HEARTH_DATA to another folder.";
    return [{ name, status: "wrong", text: `${folder} cannot be written`, hint }];
  }
  const free = await services.diskFreeBytes(folder);
  if (free === undefined) return [{ name, status: "ok", text: folder }];
  const short = free < 2 * 1024 ** 3;
  const text = `${folder}, ${formatBytes(free)} free on its disk`;
  const hint = "Few models fit there: free some space, or set HEARTH_DATA to a folder on another disk.";
  return [{ name, status: short ? "wrong" : "ok", text, ...(short && { hint }) }];
}

async function checkModels({ hearth }: Context): Promise<Finding[]> {
  const { library } = await hearth();
  const warnings: string[] = [];
  const models = await library.list({ onWarning: (line) => warnings.push(line) });
  const bytes = models.reduce((sum, model) => sum + model.sizeBytes, 0);
  const text = models.length === 0 ? "none yet" : `${models.length}, ${formatBytes(bytes)}`;
  return [
    {
      name: "models",
      status: "ok",
      text,
      ...(models.length === 0 && { hint: "`hearth pull NAME` fetches one; `hearth` alone fetches the default model." }),
    },
    ...warnings.map((line): Finding => ({ name: "models", status: "wrong", text: line })),
  ];
}

async function checkCache({ settings }: Context): Promise<Finding[]> {
  const { folder, mostBytes, sizeBytes } = await readCache(settings);
  const text =
    mostBytes === 0
      ? "off"
      : `${folder}, ${formatBytes(sizeBytes)}; each engine keeps ${formatBytes(mostBytes)} at most`;
  return [{ name: "cache", status: "ok", text }];
}

async function checkEngines({ services, settings }: Context): Promise<Finding[]> {
  const rows = await (await services.packs(settings)).list();
  const level = (await import("../../engines/flint/kernels/wasm/simd.ts")).detectLevel();
  const flint: Finding = {
    name: "engines",
    status: level === "relaxed" ? "ok" : "note",
    text: `flint: part of hearth, with ${level ?? "no"} SIMD`,
    ...(level !== "relaxed" && { hint: "A newer Node has relaxed SIMD, which flint is made for." }),
  };
  return [flint, ...rows.map((row) => packFinding(row))];
}

function packFinding({ name, installed, version, state }: PackRow): Finding {
  return { name: "engines", status: "ok", text: `${name} ${installed ?? version}: ${state}` };
}

async function checkHub({ services, settings, signal }: Context): Promise<Finding[]> {
  const name = "hub";
  if (settings.offline) return [{ name, status: "ok", text: "not asked: hearth is set to stay offline" }];
  const started = performance.now();
  try {
    const timeout = AbortSignal.timeout(settings.hubTimeout);
    const response = await services.fetch(settings.hub, { method: "HEAD", signal: AbortSignal.any([signal, timeout]) });
    await response.body?.cancel();
    const ms = Math.round(performance.now() - started);
    return [{ name, status: "ok", text: `${settings.hub} answered in ${ms} ms` }];
  } catch (error) {
    signal.throwIfAborted();
    const text = `${settings.hub} did not answer within ${settings.hubTimeout} ms (${reason(error)})`;
    const hint =
      "Models with another source are still fetched. Check network and proxy, or set HEARTH_HUB to a mirror, or --offline.";
    return [{ name, status: "note", text, hint }];
  }
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "no reply";
  return error.cause instanceof Error ? error.cause.message : error.message;
}

async function checkServer(context: Context): Promise<Finding[]> {
  const url = serverUrl(context.settings);
  const client = await connectServer(context);
  try {
    await client.health({ signal: AbortSignal.any([context.signal, AbortSignal.timeout(2000)]) });
    return [{ name: "server", status: "ok", text: `running at ${url}` }];
  } catch {
    context.signal.throwIfAborted();
    return [{ name: "server", status: "ok", text: `not running at ${url}`, hint: "`hearth serve` starts it." }];
  }
}
