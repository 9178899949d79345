import { dataFolder } from "../config/paths.ts";
import type { Settings } from "../config/settings.ts";
import { developmentFolder, hasBinary } from "../engines/binaries.ts";
import { devicesToTry, findLibrary } from "../engines/libraries.ts";
import {
  addPack,
  listPacks,
  packNotice,
  packStatus,
  parsePackName,
  removePack,
  updatePack,
  type PackStatus,
} from "../engines/packs.ts";
import { HearthError } from "../error.ts";
import type { Packs } from "./services.ts";

/** The engine packs of one data folder. */
export function openPacks(settings: Settings): Packs {
  const options = { dataFolder: settings.data ?? dataFolder() };
  const checkOnline = (name: string): void => {
    if (!settings.offline) return;
    throw new HearthError("offline", `The engine pack ${name} cannot be fetched: hearth is set to stay offline.`, {
      hint: "Run it again without --offline and HEARTH_OFFLINE, or copy the folder `engines` of another data folder.",
    });
  };
  return {
    list: async () => listPacks(options).map((row) => ({ ...row, state: stateText(row) })),
    async peerModule() {
      const libraries = devicesToTry(settings.device).map((device) => findLibrary(device, options));
      return libraries.find((library) => library !== undefined)?.module;
    },
    async add(name, work) {
      checkOnline(name);
      const pack = parsePackName(name);
      if (packStatus(pack, options).state !== "installed") work.onLine(packNotice(pack, options));
      return await addPack(name, { ...options, ...work });
    },
    async update(name, work) {
      checkOnline(name);
      return await updatePack(name, { ...options, ...work });
    },
    remove: async (name) => await removePack(name, options),
  };
}

/** Packs of llama.cpp, which the repository has as a dev dependency. */
const devices: Readonly<Partial<Record<PackStatus["name"], "metal" | "cpu" | "cuda" | "vulkan">>> = {
  llama: process.platform === "darwin" ? "metal" : "cpu",
  "llama-cuda": "cuda",
  "llama-vulkan": "vulkan",
};

/** A missing pack is no fault: it comes on first need, or the repository's dev dependency serves instead. */
function stateText({ name, state }: PackStatus): string {
  if (state !== "missing") return state;
  const folder = developmentFolder();
  const device = devices[name];
  return folder !== undefined && device !== undefined && hasBinary(folder, device)
    ? "from the repository"
    : "not installed";
}
