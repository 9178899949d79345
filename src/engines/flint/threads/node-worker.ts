/** Entry of a worker thread under Node. */
import { openSync, readSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { HearthError } from "../../../error.ts";
import { openBlockStore } from "../cache/disk/open.ts";
import type { ReadFile } from "./load.ts";
import type { FileSource } from "./protocol.ts";
import type { WorkerPlatform } from "./run.ts";
import { runWorker } from "./run.ts";

await runWorker({ post: (reply) => parentPort?.postMessage(reply), listen }, open);
parentPort?.close();

function listen(take: (message: unknown) => void): void {
  parentPort?.on("message", take);
}

async function open(file: FileSource): Promise<WorkerPlatform> {
  return {
    read: await openReader(file),
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    openStore: (setup, onNotice) => openBlockStore({ ...setup, onNotice }),
  };
}

async function openReader(file: FileSource): Promise<ReadFile> {
  if ("path" in file) {
    const read = createReader(openSync(file.path, "r"), file.path);
    if (!file.turned?.length) return read;
    const { turning } = await import("../vision/turned.ts");
    return turning(read, file.turned);
  }
  if (!("checkpoint" in file)) throw new Error("a path or a folder is needed");
  // Most models are one file: they do without this code.
  const { openCheckpointData } = await import("../../../formats/checkpoint/open.ts");
  const { loadTypes } = await import("../weights/load-types.ts");
  return openCheckpointData(file.checkpoint, loadTypes(file.quantize)).read;
}

function createReader(descriptor: number, path: string): ReadFile {
  return (offset, target) => {
    for (let done = 0; done < target.length;) {
      const count = readSync(descriptor, target, done, target.length - done, offset + done);
      if (count === 0) {
        throw new HearthError("model_malformed", `${path} ends at byte ${offset + done}, before its tensors do.`, {
          hint: "Fetch it again: `hearth verify` tells what is damaged.",
        });
      }
      done += count;
    }
  };
}
