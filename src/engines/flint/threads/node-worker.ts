/** Entry of a worker thread under Node. */
import { openSync, readSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { HearthError } from "../../../error.ts";
import { readGguf } from "../../../formats/gguf/read.ts";
import type { ReadFile } from "./load.ts";
import type { Reply, StartMessage } from "./protocol.ts";
import type { WorkerPlatform } from "./run.ts";
import { runWorker } from "./run.ts";

const { setup, file } = workerData as StartMessage;
const post = (reply: Reply): void => parentPort?.postMessage(reply);

await runWorker(setup, post, open);
parentPort?.close();

function open(): WorkerPlatform {
  if (!("path" in file)) throw new Error("a path is needed");
  const { path } = file;
  return {
    // Stays open as long as the thread: the leader reads small tensors later.
    read: createReader(openSync(path, "r"), path),
    readHeader: () => readGguf(path),
    post,
    onCommand: (take) => void parentPort?.on("message", take),
    turn: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

function createReader(descriptor: number, path: string): ReadFile {
  return (offset, target) => {
    for (let done = 0; done < target.length; ) {
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
