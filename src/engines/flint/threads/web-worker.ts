/** Entry of a worker thread in a browser. */
import { HearthError } from "../../../error.ts";
import { readGgufBlob } from "../../../formats/gguf/header.ts";
import type { ReadFile } from "./load.ts";
import type { Command, FileSource, Reply, StartMessage } from "./protocol.ts";
import type { WorkerPlatform } from "./run.ts";
import { runWorker } from "./run.ts";

/** What the types of a page do not know: this is a worker, where files can be read without waiting for a promise. */
declare class FileReaderSync {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}
interface WorkerScope {
  postMessage(message: unknown): void;
  addEventListener(type: "message", listen: (event: MessageEvent<Command>) => void): void;
  addEventListener(type: "message", listen: (event: MessageEvent<StartMessage>) => void, once: { once: true }): void;
  close(): void;
}
const scope = globalThis as unknown as WorkerScope;

const post = (reply: Reply): void => scope.postMessage(reply);

scope.addEventListener("message", ({ data }: MessageEvent<StartMessage>) => void run(data), { once: true });

async function run({ setup, file }: StartMessage): Promise<void> {
  try {
    await runWorker(setup, post, () => open(file));
    scope.close();
  } catch (error) {
    // The page hears of errors, not of promises that nobody waits for.
    reportError(error);
  }
}

function open(file: FileSource): WorkerPlatform {
  if (!("blob" in file)) throw new Error("a blob is needed");
  const { blob } = file;
  return {
    read: createReader(blob),
    readHeader: () => readGgufBlob(blob, { name: "The file" }),
    post,
    onCommand: (take) => scope.addEventListener("message", ({ data }: MessageEvent<Command>) => take(data)),
    turn: createTurn(),
  };
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
