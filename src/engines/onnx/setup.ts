import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** What the child process is told besides the model: URLs of modules of the pack. */
export interface OnnxLibrary {
  /** onnxruntime-node. */
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
    runtime: module("onnxruntime-node", "dist", "index.js"),
    transformers: module("@huggingface", "transformers", "dist", "transformers.node.mjs"),
    sharp: module("sharp", "dist", "index.mjs"),
  };
}
