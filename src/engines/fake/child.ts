/** The fake engine in a child process, to test `host/` without native code. Its setup says how it misbehaves. */
import { serveEngine } from "../host/serve.ts";
import type { EngineProfile } from "../../spec/engine.ts";
import type { Perform, Tasks } from "../../spec/perform.ts";
import { createFakeEngine } from "./engine.ts";

export interface FakeSetup {
  readonly reply?: string;
  /** The token at which something happens, and what. */
  readonly at?: number;
  readonly action?: "abort" | "exit" | "hang" | "wait";
  readonly failLoad?: "exit" | "throw";
  readonly profile?: EngineProfile;
  readonly scores?: false;
  /** The task `infer` gives back what went in. */
  readonly echoes?: true;
}

/** Inputs come back as outputs; one named `wait` waits until it is cancelled, one named `exit` ends the process. */
const echo: Perform = async (_, request, { signal } = {}) => {
  const { inputs } = request as Tasks["infer"]["request"];
  if ("exit" in inputs) process.exit(7);
  if ("wait" in inputs) await new Promise((_resolve, reject) => signal?.addEventListener("abort", reject));
  // It was asked for tensors alone.
  return { outputs: inputs } as never;
};

serveEngine((data, notice) => {
  const { reply, at, action, failLoad, profile, scores, echoes } = data as FakeSetup;
  notice("fake engine started");
  return createFakeEngine({
    ...(reply !== undefined && { reply }),
    ...(profile && { profile }),
    ...(scores === false && { scores }),
    ...(echoes && { perform: echo }),
    capabilities: ["generate", "embed", "rerank", ...(echoes ? (["infer"] as const) : [])],
    beforeLoad() {
      if (failLoad === "exit") process.exit(3);
      if (failLoad === "throw") throw new Error("bad weights");
    },
    beforeToken(index) {
      if (index !== at) return undefined;
      console.error(`fake engine: ${action ?? "nothing"} at token ${index}`);
      if (action === "abort") process.abort();
      if (action === "exit") process.exit(7);
      if (action === "hang") for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
      return action === "wait" ? new Promise<void>(() => {}) : undefined;
    },
  });
});
