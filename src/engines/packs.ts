/** Engine packs: native engines as pinned npm installs in the data folder. */
import { existsSync, readFileSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { npmEnvironment } from "../config/environment.ts";
import { HearthError } from "../error.ts";
import type { Device } from "../spec/engine.ts";
import { didYouMean } from "../util/distance.ts";
import { formatBytes } from "../util/format.ts";
import { installPack, markerName } from "./install.ts";
import { hasBinary, llamaModule } from "./binaries.ts";
import type { NpmRun, RunNpm } from "./npm.ts";
import { runNpm } from "./npm.ts";

export const packNames = [
  "llama",
  "llama-cuda",
  "llama-vulkan",
  "onnx",
  "onnx-wasm",
  "pictures",
  "speech",
  "tflite",
  "webgpu",
] as const;
export type PackName = (typeof packNames)[number];

interface PackFacts {
  readonly text: string;
  readonly device: Exclude<Device, "auto">;
  readonly downloadBytes: number;
  /** Below `node_modules`: what a pack has that works on this machine. Absent: the binary of llama.cpp for the device. */
  readonly needs?: string;
  /** Binaries for other machines are thrown away: of each folder one entry is kept. */
  readonly only?: readonly { readonly folder: string; readonly entry: string }[];
}

const mebibyte = 1024 ** 2;

/** Below here are folders of systems, and in them folders of processors. */
const onnxBinaries = "onnxruntime-node/bin/napi-v6";

/** As sherpa-onnx names its packages. */
const speechSystem = process.platform === "win32" ? "win" : process.platform;

/** As the package webgpu names its folders. */
const dawnSystem = `${process.platform}-${process.platform === "darwin" ? "universal" : process.arch}`;

/** Sizes as measured on Linux x64. */
const facts: Readonly<Record<PackName, PackFacts>> = {
  llama: { text: "llama.cpp for the CPU, on Apple machines with Metal", device: "cpu", downloadBytes: 57 * mebibyte },
  "llama-cuda": { text: "llama.cpp for NVIDIA GPUs", device: "cuda", downloadBytes: 377 * mebibyte },
  "llama-vulkan": { text: "llama.cpp for GPUs with Vulkan", device: "vulkan", downloadBytes: 81 * mebibyte },
  onnx: {
    text: "ONNX Runtime and transformers.js",
    device: "cpu",
    downloadBytes: 130 * mebibyte,
    // Where it has no binary for this machine, the pack onnx-wasm computes and this one does all else.
    needs: "onnxruntime-node/dist/index.js",
    only: [
      { folder: onnxBinaries, entry: process.platform },
      { folder: `${onnxBinaries}/${process.platform}`, entry: process.arch },
    ],
  },
  "onnx-wasm": {
    text: "ONNX Runtime as WebAssembly, where the native one does not load",
    device: "cpu",
    downloadBytes: 33 * mebibyte,
    needs: "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
  },
  pictures: {
    text: "sharp, which decodes pictures",
    device: "cpu",
    downloadBytes: 8 * mebibyte,
    needs: "sharp/dist/index.mjs",
  },
  speech: {
    text: "sherpa-onnx, for models of speech, and decoders of sound",
    device: "cpu",
    downloadBytes: 30 * mebibyte,
    needs: `sherpa-onnx-${speechSystem}-${process.arch}/sherpa-onnx.node`,
  },
  tflite: {
    text: "LiteRT, for TFLite models",
    device: "cpu",
    downloadBytes: 21 * mebibyte,
    needs: "@litertjs/core/wasm/litert_wasm_internal.wasm",
  },
  webgpu: {
    text: "WebGPU for LiteRT",
    device: "webgpu",
    downloadBytes: 51 * mebibyte,
    needs: `webgpu/dist/${dawnSystem}/dawn.node`,
    only: [{ folder: "webgpu/dist", entry: dawnSystem }],
  },
};

export interface PackStatus {
  readonly name: PackName;
  readonly text: string;
  /** Version that this hearth would install. */
  readonly version: string;
  /** Version in the data folder; undefined: not there. */
  readonly installed: string | undefined;
  readonly state: "installed" | "outdated" | "missing";
  readonly downloadBytes: number;
}

export interface PackOptions {
  readonly dataFolder: string;
  /** Default: `packs/` of this package. */
  readonly source?: string;
  readonly npm?: RunNpm;
  readonly env?: Readonly<Record<string, string>>;
}

export interface PackWork extends PackOptions, Pick<NpmRun, "signal" | "onLine"> {}

export function listPacks(options: PackOptions): readonly PackStatus[] {
  return packNames.map((name) => packStatus(name, options));
}

export function packStatus(name: PackName, options: PackOptions): PackStatus {
  const { text, downloadBytes } = facts[name];
  const version = pinnedVersion(name, options);
  const installed = installedVersion(name, options);
  const state = installed === undefined ? "missing" : installed === version ? "installed" : "outdated";
  return { name, text, version, installed, state, downloadBytes };
}

/** One line for people: what will be installed and how big it is. */
export function packNotice(name: PackName, options: PackOptions): string {
  const { version, text, downloadBytes } = packStatus(name, options);
  return `Installing the engine pack ${name} ${version} (${text}; about ${formatBytes(downloadBytes)} to download).`;
}

/** Installs a pack; does nothing when it is there in the right version. */
export async function addPack(name: string, work: PackWork): Promise<PackStatus> {
  const pack = parsePackName(name);
  const status = packStatus(pack, work);
  return status.state === "installed" ? status : await install(pack, work);
}

/** Installs a pack anew, also over a damaged one. Throws `not_found` when it is not there. */
export async function updatePack(name: string, work: PackWork): Promise<PackStatus> {
  const pack = parsePackName(name);
  if (installedVersion(pack, work) === undefined) {
    throw new HearthError("not_found", `The engine pack ${pack} is not installed.`, {
      hint: `Install it with \`hearth engines add ${pack}\`.`,
    });
  }
  return await install(pack, work);
}

/** Returns whether the pack was there. */
export async function removePack(name: string, options: PackOptions): Promise<boolean> {
  const pack = parsePackName(name);
  const folder = packFolder(pack, options);
  if (!existsSync(folder)) return false;
  // Out of sight first: half a pack must not look like one.
  const gone = join(options.dataFolder, "engines", `.stage-${process.pid}-${pack}-removed`);
  await rename(folder, gone);
  await rm(gone, { recursive: true, force: true });
  return true;
}

export function packFolder(name: PackName, { dataFolder }: PackOptions): string {
  return join(dataFolder, "engines", name);
}

/** URL of node-llama-cpp in an installed pack. */
export function packModule(name: PackName, options: PackOptions): string | undefined {
  if (installedVersion(name, options) === undefined) return undefined;
  return llamaModule(packFolder(name, options));
}

export function parsePackName(name: string): PackName {
  const pack = packNames.find((candidate) => candidate === name);
  if (pack) return pack;
  throw new HearthError("not_found", `There is no engine pack "${name}".${didYouMean(name, packNames)}`, {
    hint: `The packs are ${packNames.join(", ")}.`,
  });
}

const installing = new Map<string, Promise<PackStatus>>();

/** Many who ask for one pack wait for one install; it goes on for the others when one of them leaves. */
async function install(name: PackName, work: PackWork): Promise<PackStatus> {
  const key = packFolder(name, work);
  const running = installing.get(key);
  if (running) return await running;
  const started = startInstall(name, work).finally(() => installing.delete(key));
  installing.set(key, started);
  return await started;
}

async function startInstall(name: PackName, work: PackWork): Promise<PackStatus> {
  const { device, needs, only } = facts[name];
  await installPack({
    name,
    version: pinnedVersion(name, work),
    source: packSource(work),
    target: join(work.dataFolder, "engines"),
    npm: work.npm ?? runNpm,
    env: work.env ?? npmEnvironment(),
    signal: work.signal,
    onLine: work.onLine,
    only,
    async check(folder) {
      if (needs === undefined ? hasBinary(folder, device) : existsSync(join(folder, "node_modules", needs))) return;
      const platform = `${process.platform} ${process.arch}`;
      throw new HearthError("engine_missing", `The engine pack ${name} has nothing that runs on ${platform}.`, {
        hint: name.startsWith("llama-") ? "Try the pack llama, which needs no GPU." : "",
      });
    },
  });
  return packStatus(name, work);
}

function installedVersion(name: PackName, options: PackOptions): string | undefined {
  return readVersion(join(packFolder(name, options), markerName));
}

function pinnedVersion(name: PackName, options: PackOptions): string {
  const version = readVersion(join(packSource(options), name, "package.json"));
  if (version === undefined) throw new HearthError("internal", `The pack ${name} is not part of this installation.`);
  return version;
}

function readVersion(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  const value: unknown = JSON.parse(readFileSync(path, "utf8"));
  const version = typeof value === "object" && value !== null && "version" in value ? value.version : undefined;
  return typeof version === "string" ? version : undefined;
}

/** `packs/` lies beside `src/` and `dist/`. */
function packSource({ source }: PackOptions): string {
  return source ?? fileURLToPath(new URL("../../packs", import.meta.url));
}
