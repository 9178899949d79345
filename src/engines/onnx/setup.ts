import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** What the child process is told besides the model: URLs of modules of the pack. */
export interface OnnxLibrary {
  /** Folder of the pack: decoders of sound are in its `node_modules`. */
  readonly pack: string;
  /** onnxruntime-node, or onnxruntime-web. */
  readonly runtime: string;
  /** @huggingface/transformers. */
  readonly transformers: string;
  /** sharp, which decodes pictures. */
  readonly sharp: string;
}

export interface OnnxSetup {
  readonly library: OnnxLibrary;
}

/** `folder`: of the pack. */
export function onnxLibrary(folder: string): OnnxLibrary {
  const module = (...path: string[]): string => pathToFileURL(join(folder, "node_modules", ...path)).href;
  return {
    pack: folder,
    runtime: module("onnxruntime-node", "dist", "index.js"),
    transformers: module("@huggingface", "transformers", "dist", "transformers.node.mjs"),
    sharp: module("sharp", "dist", "index.mjs"),
  };
}

/** `wasm`: folder of the pack with the runtime as WebAssembly; all else is in `folder`. */
export function wasmLibrary(folder: string, wasm: string): OnnxLibrary {
  const path = join(wasm, "node_modules", "onnxruntime-web", "dist", "ort.node.min.mjs");
  return { ...onnxLibrary(folder), runtime: pathToFileURL(path).href };
}
