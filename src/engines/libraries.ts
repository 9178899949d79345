import type { Device } from "../spec/engine.ts";
import { HearthError } from "../error.ts";
import { developmentFolder, hasBinary, llamaModule } from "./binaries.ts";
import type { LlamaLibrary } from "./llama/setup.ts";
import type { PackName, PackWork } from "./packs.ts";
import { addPack, packFolder, packModule, packNames, packNotice, packStatus } from "./packs.ts";

type RealDevice = Exclude<Device, "auto">;

export interface LibraryOptions extends PackWork {
  readonly offline: boolean;
  readonly onNotice: (text: string) => void;
}

/** Devices that are worth a try without being named, best first. */
export function devicesToTry(device: Device): readonly RealDevice[] {
  if (device !== "auto") return [device];
  return process.platform === "darwin" ? ["metal", "cpu"] : ["cuda", "vulkan", "cpu"];
}

/** What is here for a device: an installed pack first, then the dev dependency of the repository. */
export function findLibrary(device: RealDevice, options: PackWork): LlamaLibrary | undefined {
  for (const name of packNames) {
    const module = packModule(name, options);
    if (module !== undefined && hasBinary(packFolder(name, options), device)) return { module, device };
  }
  const folder = developmentFolder();
  const module = folder === undefined || !hasBinary(folder, device) ? undefined : llamaModule(folder);
  return module === undefined ? undefined : { module, device };
}

/** Ways to run llama.cpp on a device, best first; installs the pack when there is none. */
export async function llamaLibraries(device: Device, options: LibraryOptions): Promise<readonly LlamaLibrary[]> {
  const find = (): LlamaLibrary[] => devicesToTry(device).flatMap((one) => findLibrary(one, options) ?? []);
  const found = find();
  if (found.length > 0) return found;
  await needPack(packFor(device), options);
  return find();
}

/** The folder of a pack, which is installed when it is missing. */
export async function needPack(pack: PackName, options: LibraryOptions): Promise<string> {
  const folder = packFolder(pack, options);
  if (packStatus(pack, options).installed !== undefined) return folder;
  if (options.offline) {
    throw new HearthError(
      "engine_missing",
      `The engine pack ${pack} is not installed, and hearth is set to be offline.`,
      {
        hint: `Run \`hearth engines add ${pack}\` once without --offline, or copy the folder \`engines\` of the data folder from another machine.`,
      },
    );
  }
  options.onNotice(packNotice(pack, options));
  await addPack(pack, options);
  return folder;
}

function packFor(device: Device): PackName {
  return device === "cuda" || device === "vulkan" ? `llama-${device}` : "llama";
}
