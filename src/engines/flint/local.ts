/** flint in this process. It runs in the engine's child process. */
import { open } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { HearthError } from "../../error.ts";
import { fingerprint } from "../../formats/gguf/fingerprint.ts";
import { readGguf } from "../../formats/gguf/read.ts";
import { checkpointFolder, readModelHeader } from "../../formats/model.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import type { Engine, LoadOptions } from "../../spec/engine.ts";
import type { AdapterFile } from "./adapters/open.ts";
import type { IdentifiedLoad } from "./cache/disk/identity.ts";
import { identifyLoad } from "./cache/disk/identity.ts";
import type { StoreSetup } from "./cache/store.ts";
import type { FlintSetup } from "./engine.ts";
import type { Platform } from "./model.ts";
import { loadModel } from "./model.ts";
import { loadTypes } from "./weights/load-types.ts";
import { startNodeThread } from "./threads/node-thread.ts";

export function createLocalFlint(onNotice?: (text: string) => void, { pictures }: FlintSetup = {}): Engine {
  return {
    name: "flint",
    refuse: () => undefined,
    load: ({ name, path, info, projector }, options, call = {}) =>
      loadModel(
        { model: { name, info }, options, call },
        {
          ...modelAt(path, { name, quantize: options.quantize }),
          start: startNodeThread,
          cores: availableParallelism(),
          openAdapter,
          store: ({ header, hyperparameters: { layers } }) => openStore({ path, header, layers, options }),
          onNotice,
          draft: options.draft && draftOf(options.draft),
          vision: projector === undefined || pictures === undefined ? undefined : visionOf(projector, pictures),
        },
      ),
  };
}

/** Sharp, and what reads projectors, are loaded where there is a projector. */
function visionOf(path: string, pictures: string): NonNullable<Platform["vision"]> {
  return {
    identify: async () => fingerprint(path, await readGguf(path)),
    async open(source) {
      const { openVision } = await import("./vision/open.ts");
      return await openVision({ ...source, path, pictures });
    },
  };
}

async function openAdapter(path: string, model: GgufFile): Promise<AdapterFile> {
  const folder = checkpointFolder(path);
  if (folder !== undefined) return await openPeftAdapter(folder, model);
  const header = await readGguf(path);
  const file = await open(path, "r");
  return {
    header,
    async read(offset, target) {
      for (let done = 0; done < target.length;) {
        const { bytesRead } = await file.read(target, done, target.length - done, offset + done);
        if (bytesRead === 0) {
          throw new HearthError("model_malformed", `${path} ends at byte ${offset + done}, before its tensors do.`);
        }
        done += bytesRead;
      }
    },
    close: () => file.close(),
  };
}

async function openPeftAdapter(folder: string, model: GgufFile): Promise<AdapterFile> {
  const { openPeft } = await import("../../formats/checkpoint/peft.ts");
  const { file, read, close } = openPeft(folder, model);
  return {
    header: file,
    read: async (offset, target) => read(offset, target),
    close: async () => close(),
  };
}

async function openStore({
  options,
  ...load
}: IdentifiedLoad & { options: LoadOptions }): Promise<StoreSetup | undefined> {
  const { diskCache } = options;
  return diskCache && { ...diskCache, identity: await identifyLoad({ ...load, options }) };
}

function draftOf({ path }: NonNullable<LoadOptions["draft"]>): NonNullable<Platform["draft"]> {
  return modelAt(path);
}

interface ModelOptions {
  readonly name?: string;
  readonly quantize?: LoadOptions["quantize"];
}

/** A file, or the folder of a checkpoint. */
export function modelAt(path: string, { name, quantize }: ModelOptions = {}): Pick<Platform, "readHeader" | "file"> {
  const checkpoint = checkpointFolder(path);
  if (checkpoint === undefined) return { readHeader: () => readModelHeader(path), file: { path } };
  return {
    readHeader: () => readModelHeader(path, { weights: loadTypes(quantize), ...(name !== undefined && { name }) }),
    file: { checkpoint, quantize },
  };
}
