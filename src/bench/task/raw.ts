import { fork } from "node:child_process";
import { engineEnvironment } from "../../config/environment.ts";
import { HearthError } from "../../error.ts";
import { createDeferred, type Deferred } from "../../util/deferred.ts";
import { leastCalls, type Sample } from "./loop.ts";
import type { TaskContestant } from "./measure.ts";
import type { RawReply, RawRequest } from "./raw-child.ts";
import type { Tensors } from "./tensors.ts";

export interface RawOptions {
  /** URL of onnxruntime-node. */
  readonly module: string;
  readonly path: string;
  readonly threads: number;
  /** What is run in turn. Asked for when all are loaded: some are made of the tokens that hearth makes of a text. */
  readonly inputs: () => Promise<readonly Tensors[]>;
  readonly tasks: readonly string[];
  /** Names of those that are asked for. */
  readonly outputs: readonly string[];
  readonly ms: number;
}

/** The raw ONNX Runtime in a process of its own, which measures itself: nothing of hearth is between call and answer. */
export function createRaw(options: RawOptions): TaskContestant {
  const { module, path, threads, tasks, ms } = options;
  let connection: Connection | undefined;
  const sent = new Set<string>();
  const connected = (): Connection => {
    if (!connection) throw new Error("The raw session is not loaded.");
    return connection;
  };
  return {
    name: "raw",
    tasks,
    async load() {
      sent.clear();
      connection = connect();
      await connection.call({ type: "load", module, path, threads, outputs: options.outputs });
    },
    async measure(task, clients) {
      if (!sent.has(task)) {
        await connected().call({ type: "inputs", task, inputs: await options.inputs() });
        await connected().call({ type: "measure", task, clients: 1, ms: ms / 4, atLeast: 1 });
        sent.add(task);
      }
      const atLeast = leastCalls(clients);
      const sample = await connected().call({ type: "measure", task, clients, ms, atLeast });
      if (!sample) throw new Error("The raw session measured nothing.");
      return sample;
    },
    residentBytes: () => connected().residentBytes,
    async unload() {
      await connection?.close();
      connection = undefined;
    },
  };
}

interface Connection {
  readonly residentBytes: number | undefined;
  /** One after the other. */
  call(request: RawRequest): Promise<Sample | undefined>;
  close(): Promise<void>;
}

function connect(): Connection {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const child = fork(new URL(`./raw-child.${extension}`, import.meta.url), {
    serialization: "advanced",
    env: engineEnvironment(),
    // Flags of this process (test runners, debuggers) are not meant for the child.
    execArgv: [],
  });
  let residentBytes: number | undefined;
  let waiting: Deferred<Sample | undefined> | undefined;
  const fail = (problem: string): void => {
    waiting?.reject(new HearthError("engine_failed", `The raw ONNX Runtime ${problem}`));
  };
  child.on("message", (reply: RawReply) => {
    if (reply.type === "failed") fail(`could not do it: ${reply.message}`);
    else {
      ({ residentBytes } = reply);
      waiting?.resolve(reply.sample);
    }
  });
  const exited = new Promise<void>((resolve) => {
    child.once("exit", (code, signal) => {
      fail(`ended with ${signal ?? `code ${code}`}.`);
      resolve();
    });
  });
  return {
    get residentBytes() {
      return residentBytes;
    },
    async call(request) {
      waiting = createDeferred();
      child.send(request);
      return await waiting.promise;
    },
    async close() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
