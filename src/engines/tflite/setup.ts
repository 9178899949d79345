import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** What the child process is told besides the model: where the pack is. */
export interface TfliteLibrary {
  /** URL of @litertjs/core. */
  readonly litert: string;
  /** Folder of its WebAssembly files. */
  readonly wasm: string;
  /** URL of sharp, which decodes pictures. */
  readonly sharp: string;
  /** URL of `webgpu`, which brings WebGPU to Node; only where it was asked for. */
  readonly webgpu?: string;
}

export interface TfliteSetup {
  readonly library: TfliteLibrary;
}

/** `folder`: of the pack; `webgpu`: of that with WebGPU. */
export function tfliteLibrary(folder: string, webgpu?: string): TfliteLibrary {
  const module = (...path: string[]): string => pathToFileURL(join(folder, "node_modules", ...path)).href;
  return {
    litert: module("@litertjs", "core", "dist", "index.js"),
    wasm: join(folder, "node_modules", "@litertjs", "core", "wasm"),
    sharp: module("sharp", "dist", "index.mjs"),
    ...(webgpu !== undefined && { webgpu: pathToFileURL(join(webgpu, "node_modules", "webgpu", "index.js")).href }),
  };
}
