/** Starts worker threads under Node. */
import { Worker } from "node:worker_threads";
import type { StartThread } from "./pool.ts";

export const startNodeThread: StartThread = () => {
  const entry = new URL(`./node-worker.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
  const worker = new Worker(entry);
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listen) => void worker.on("message", listen),
    onFailure: (listen) => void worker.on("error", listen),
    end: async () => void (await worker.terminate()),
  };
};
