/** Entry of a worker thread in a browser. */
import { HearthError } from "../../../error.ts";
import type { ReadFile } from "./load.ts";
import type { FileSource } from "./protocol.ts";
import type { WorkerPlatform, WorkerPort } from "./run.ts";
import { runWorker } from "./run.ts";

/** What the types of a page do not know: this is a worker, where files can be read without waiting for a promise. */
declare class FileReaderSync {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}
interface WorkerScope {
  postMessage(message: unknown): void;
  addEventListener(type: "message", listen: (event: MessageEvent<unknown>) => void): void;
  close(): void;
}
const scope = globalThis as unknown as WorkerScope;

const port: WorkerPort = {
  post: (reply) => scope.postMessage(reply),
  listen: (take) => scope.addEventListener("message", ({ data }) => take(data)),
};

// The page hears of errors, not of promises that nobody waits for.
runWorker(port, open).then(() => scope.close(), reportError);

function open(file: FileSource): WorkerPlatform {
  if (!("blob" in file)) throw new Error("a blob is needed");
  return { read: createReader(file.blob), turn: createTurn() };
}

function createReader(blob: Blob): ReadFile {
  const reader = new FileReaderSync();
  return (offset, target) => {
    const piece = new Uint8Array(reader.readAsArrayBuffer(blob.slice(offset, offset + target.length)));
    if (piece.length < target.length) {
      throw new HearthError("model_malformed", `The file ends at byte ${blob.size}, before its tensors do.`, {
        hint: "Fetch it again.",
      });
    }
    target.set(piece);
  };
}

/** Lets what was posted before come in. A timer would wait for 4 ms, a message does not. */
function createTurn(): () => Promise<void> {
  const { port1, port2 } = new MessageChannel();
  let go = (): void => {};
  port1.addEventListener("message", () => go());
  port1.start();
  return () =>
    new Promise((resolve) => {
      go = resolve;
      port2.postMessage(0);
    });
}
