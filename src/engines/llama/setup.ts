import type { Device } from "../../spec/engine.ts";

/** One way to run llama.cpp on this machine. */
export interface LlamaLibrary {
  /** URL of node-llama-cpp's main module. */
  readonly module: string;
  readonly device: Exclude<Device, "auto">;
}

/** What the child is told besides model and options: ways to try, best first. */
export interface LlamaSetup {
  readonly libraries: readonly LlamaLibrary[];
}
