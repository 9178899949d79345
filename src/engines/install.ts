import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, lstat, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HearthError } from "../error.ts";
import type { NpmRun, RunNpm } from "./npm.ts";

/** File that a complete pack carries; written last. */
export const markerName = "pack.json";

export interface InstallJob extends Pick<NpmRun, "env" | "signal" | "onLine"> {
  readonly name: string;
  readonly version: string;
  /** `packs/` of this package: the pinned package.json and lock file of each pack. */
  readonly source: string;
  /** `engines/` of the data folder. */
  readonly target: string;
  readonly npm: RunNpm;
  /** Throws when what was installed cannot work here. */
  readonly check: (folder: string) => Promise<void>;
  /** Folders below `node_modules` of which one entry alone is of use here. */
  readonly only?: readonly { readonly folder: string; readonly entry: string }[] | undefined;
}

/**
 * `npm ci` with the pack's own lock file, in a folder that nobody looks at, which gets its name when it is complete:
 * killed at any time, there is the old pack, the new one or none. Without install scripts.
 */
export async function installPack(job: InstallJob): Promise<void> {
  const { name, source, target } = job;
  await mkdir(target, { recursive: true });
  await sweep(target);
  const stage = join(target, `.stage-${process.pid}-${randomBytes(4).toString("hex")}`);
  try {
    await cp(join(source, name), stage, { recursive: true });
    await cp(join(source, "none"), join(stage, "none"), { recursive: true });
    const words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--omit=dev"];
    await job.npm({ arguments: words, folder: stage, env: job.env, signal: job.signal, onLine: job.onLine });
    await removeLinks(join(stage, "node_modules"));
    await job.check(stage);
    for (const { folder, entry } of job.only ?? []) await keepOnly(join(stage, "node_modules", folder), entry);
    const marker = { name, version: job.version, installedAt: new Date().toISOString() };
    await writeFile(join(stage, markerName), `${JSON.stringify(marker, null, 2)}\n`);
    await replace(stage, join(target, name));
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

/** The packages that a pack leaves out are links to an empty one; their absence says it better. */
async function removeLinks(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (name.startsWith("@")) await removeLinks(path);
    else if ((await lstat(path)).isSymbolicLink()) await rm(path);
  }
}

/** A package may have nothing for this machine. */
async function keepOnly(folder: string, entry: string): Promise<void> {
  if (!existsSync(folder)) return;
  const others = (await readdir(folder)).filter((name) => name !== entry);
  for (const name of others) await rm(join(folder, name), { recursive: true });
}

async function replace(stage: string, place: string): Promise<void> {
  const old = `${stage}-old`;
  await rename(place, old).catch((error: unknown) => {
    if (codeOf(error) !== "ENOENT") throw error;
  });
  try {
    await rename(stage, place);
  } catch (error) {
    // Somebody else finished the same pack in between: theirs is as good.
    if (codeOf(error) !== "ENOTEMPTY" && codeOf(error) !== "EEXIST") throw busy(error);
  }
  await rm(old, { recursive: true, force: true });
}

function busy(error: unknown): unknown {
  if (codeOf(error) !== "EPERM" && codeOf(error) !== "EBUSY") return error;
  return new HearthError("conflict", "The engine pack is in use and could not be replaced.", {
    hint: "Stop what runs with it (`hearth stop`), then try again.",
    cause: error,
  });
}

/** Removes what installs that were killed have left. */
async function sweep(target: string): Promise<void> {
  for (const name of await readdir(target)) {
    const owner = /^\.stage-(\d+)-/.exec(name)?.[1];
    if (owner === undefined || isAlive(Number(owner))) continue;
    await rm(join(target, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
