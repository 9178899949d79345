import { fork } from "node:child_process";
import { engineEnvironment } from "../config/environment.ts";
import { createDeferred, type Deferred } from "../util/deferred.ts";
import type { Contestant } from "./measure.ts";
import type { PeerRequest, PeerReply } from "./peer-process.ts";

export interface PeerOptions {
  /** Module of node-llama-cpp, as a URL. */
  readonly module: string;
  readonly modelPath: string;
  readonly contextTokens: number;
  readonly parallel: number;
  readonly threads: number;
  /** What a sequence has computed stays, and the next prompt goes on from what it has in common. Default false. */
  readonly keepHistory?: boolean;
}

/** Raw node-llama-cpp in a process of its own: its own loop over `sequence.evaluate`, none of hearth's code. */
export function createPeer(options: PeerOptions): Contestant {
  let connection: Connection | undefined;
  let nextId = 0;
  const connected = (): Connection => {
    if (!connection) throw new Error("The peer is not loaded.");
    return connection;
  };
  return {
    name: "llama.cpp",
    async load() {
      connection = connect();
      await connection.call({ type: "load", id: nextId++, ...options });
    },
    async generate({ prompt, tokens, answer }, onToken) {
      const id = nextId++;
      await connected().call({ type: "generate", id, prompt: [...prompt], tokens, answer }, onToken);
    },
    residentBytes: () => connected().residentBytes,
    async unload() {
      await connection?.close();
      connection = undefined;
    },
  };
}

/**
 * The peer's threads spin while they wait for each other. Where another program holds a core, that costs it nearly all of
 * its speed, and a ratio would say more about that program than about either side (`engines/llama/engine.ts`).
 */
export const patient: Readonly<Record<string, string>> = { GOMP_SPINCOUNT: "1000" };

interface Connection {
  readonly residentBytes: number | undefined;
  call(request: PeerRequest, onToken?: () => void): Promise<void>;
  close(): Promise<void>;
}

function connect(): Connection {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const child = fork(new URL(`./peer-process.${extension}`, import.meta.url), {
    serialization: "advanced",
    env: { ...patient, ...engineEnvironment() },
  });
  const pending = new Map<number, { done: Deferred<void>; onToken: (() => void) | undefined }>();
  let residentBytes: number | undefined;
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.on("message", (reply: PeerReply) => {
    const call = pending.get(reply.id);
    if (reply.type === "token") call?.onToken?.();
    else if (reply.type === "done") {
      ({ residentBytes } = reply);
      call?.done.resolve();
    } else call?.done.reject(new Error(`The peer failed: ${reply.message}`));
  });
  child.on("exit", (code, signal) => {
    for (const { done } of pending.values()) done.reject(new Error(`The peer ended with ${signal ?? `code ${code}`}.`));
  });
  return {
    get residentBytes() {
      return residentBytes;
    },
    async call(request, onToken) {
      const done = createDeferred<void>();
      pending.set(request.id, { done, onToken });
      child.send(request);
      try {
        await done.promise;
      } finally {
        pending.delete(request.id);
      }
    },
    async close() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
