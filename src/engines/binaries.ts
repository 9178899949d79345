import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Device } from "../spec/engine.ts";

const systems: Readonly<Partial<Record<NodeJS.Platform, string>>> = { linux: "linux", darwin: "mac", win32: "win" };
const processors: Readonly<Record<string, string>> = { x64: "x64", arm64: "arm64", arm: "armv7l", riscv64: "riscv64" };

/** The package of node-llama-cpp with the binary for this machine and device, e.g. `linux-x64-cuda`. */
export function binaryName(
  device: Exclude<Device, "auto">,
  platform: NodeJS.Platform = process.platform,
  arch: string = process.arch,
): string | undefined {
  const [system, processor] = [systems[platform], processors[arch]];
  if (!system || !processor) return undefined;
  // Apple's processors all have Metal: one binary serves both.
  if (system === "mac" && processor === "arm64")
    return device === "cpu" || device === "metal" ? "mac-arm64-metal" : undefined;
  if (device === "metal") return undefined;
  return device === "cpu" ? `${system}-${processor}` : `${system}-${processor}-${device}`;
}

/** Whether the folder's `node_modules` has the binary: a platform that npm leaves out is no error for npm. */
export function hasBinary(folder: string, device: Exclude<Device, "auto">): boolean {
  const name = binaryName(device);
  return name !== undefined && existsSync(join(folder, "node_modules", "@node-llama-cpp", name, "bins"));
}

/** URL of node-llama-cpp below a folder. */
export function llamaModule(folder: string): string | undefined {
  const path = join(folder, "node_modules", "node-llama-cpp", "dist", "index.js");
  return existsSync(path) ? pathToFileURL(path).href : undefined;
}

let development: { readonly folder: string | undefined } | undefined;

/** The folder whose `node_modules` has node-llama-cpp as a dev dependency: that of the repository. Looked for once. */
export function developmentFolder(): string | undefined {
  development ??= { folder: findDevelopmentFolder() };
  return development.folder;
}

function findDevelopmentFolder(): string | undefined {
  try {
    const main = createRequire(import.meta.url).resolve("node-llama-cpp");
    const folder = dirname(dirname(main));
    const name: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return typeof name === "object" && name !== null ? dirname(dirname(folder)) : undefined;
  } catch {
    return undefined;
  }
}
