/** Starts worker threads in a browser. */
import type { Reply } from "./protocol.ts";
import type { StartThread } from "./pool.ts";

export const startWebThread: StartThread = (index) => {
  const entry = new URL(`./web-worker.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
  const worker = new Worker(entry, { type: "module", name: `flint ${index}` });
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listen) => worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => listen(data)),
    onFailure(listen) {
      worker.addEventListener("error", ({ message }) => listen(new Error(message || `${entry.pathname} did not load`)));
      worker.addEventListener("messageerror", () => listen(new Error("a message could not be read")));
    },
    async end() {
      worker.terminate();
    },
  };
};
