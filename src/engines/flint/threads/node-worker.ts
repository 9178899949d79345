/** Entry of a worker thread under Node. */
import { closeSync, openSync, readSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { HearthError } from "../../../error.ts";
import { readGguf } from "../../../formats/gguf/read.ts";
import { Leader } from "./leader.ts";
import type { ReadFile } from "./load.ts";
import type { Command, Reply, StartMessage } from "./protocol.ts";
import { Compute } from "./worker.ts";

const { setup, file } = workerData as StartMessage;
if (!("path" in file)) throw new Error("a path is needed");
const descriptor = openSync(file.path, "r");

const read: ReadFile = (offset, target) => {
  for (let done = 0; done < target.length; ) {
    const count = readSync(descriptor, target, done, target.length - done, offset + done);
    if (count === 0) {
      throw new HearthError("model_malformed", `${file.path} ends at byte ${offset + done}, before its tensors do.`, {
        hint: "Fetch it again: `hearth verify` tells what is damaged.",
      });
    }
    done += count;
  }
};

const post = (reply: Reply): void => parentPort?.postMessage(reply);

try {
  const compute = new Compute(setup);
  compute.load(read);
  if (setup.index === 0) await lead(compute);
  else {
    closeSync(descriptor);
    post({ type: "loaded" });
    compute.follow();
  }
} catch (error) {
  post({ type: "load-failed", message: error instanceof Error ? error.message : String(error) });
}

async function lead(compute: Compute): Promise<void> {
  let wake = (): void => {};
  const path = "path" in file ? file.path : "";
  const leader = new Leader({
    setup,
    compute,
    file: await readGguf(path),
    read,
    reply: post,
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    rest: () => new Promise((resolve) => (wake = resolve)),
  });
  parentPort?.on("message", (command: Command) => {
    leader.push(command);
    wake();
  });
  post({ type: "loaded" });
  await leader.run();
  parentPort?.close();
}
