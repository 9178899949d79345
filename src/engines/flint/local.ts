/** flint in this process. It runs in the engine's child process. */
import { open } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { HearthError } from "../../error.ts";
import { readGguf } from "../../formats/gguf/read.ts";
import type { Engine, EngineLoadOptions, EngineModel, LoadOptions } from "../../spec/engine.ts";
import type { AdapterFile } from "./adapters/open.ts";
import { loadModel } from "./model.ts";
import type { FlintModel } from "./model.ts";
import { startNodeThread } from "./threads/node-thread.ts";

export interface LocalFlint extends Engine {
  load(model: EngineModel, options: LoadOptions, call?: EngineLoadOptions): Promise<FlintModel>;
}

export function createLocalFlint(): LocalFlint {
  return {
    name: "flint",
    refuse: () => undefined,
    load: ({ name, path, info }, options, call = {}) =>
      loadModel(
        { model: { name, info }, options, call },
        {
          readHeader: () => readGguf(path),
          file: { path },
          start: startNodeThread,
          cores: availableParallelism(),
          openAdapter,
        },
      ),
  };
}

async function openAdapter(path: string): Promise<AdapterFile> {
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
