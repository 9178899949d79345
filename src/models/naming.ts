/** The names that models get in the store when the person gave none: one rule for each kind of source. */
import type { ModelReference } from "../spec/model.ts";
import { quantizationOf } from "./gguf-file.ts";

export interface StoreName {
  readonly name: string;
  readonly tag: string;
}

/** `file` is the first weights file, as its source calls it. */
export function storeName(reference: Exclude<ModelReference, { kind: "path" }>, file: string): StoreName {
  switch (reference.kind) {
    case "name":
      return { name: reference.name, tag: reference.tag };
    case "ollama":
      return { name: `ollama/${reference.name}`, tag: reference.tag };
    case "hf": {
      // Files of a checkpoint are all called "model".
      const word = file.endsWith(".safetensors") ? "safetensors" : (quantizationOf(file) ?? tagWord(stem(file)));
      const revision = reference.revision === undefined ? "" : `-${revisionWord(reference.revision)}`;
      return { name: `hf.co/${reference.repo}`, tag: `${word}${revision}` };
    }
    case "npm":
      return { name: `npm/${nameWord(reference.package)}`, tag: tagWord(reference.version ?? "latest") };
    default:
      return { name: tagWord(stem(file)).toLowerCase(), tag: "latest" };
  }
}

/** How a revision is written at the end of a tag. */
export function revisionWord(revision: string): string {
  return tagWord(revision).slice(0, 40);
}

function stem(file: string): string {
  return (file.split("/").at(-1) ?? file).replace(/\.(gguf|onnx|tflite|safetensors)$/i, "");
}

/** Any text → a valid tag. */
function tagWord(text: string): string {
  const word = text
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replaceAll(/\.{2,}/g, ".")
    .replaceAll(/^[^A-Za-z0-9_]+|[.-]+$/g, "")
    .slice(0, 60)
    .replace(/[.-]+$/, "");
  return /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(word) || word === "" ? `model-${word}`.replace(/-$/, "") : word;
}

function nameWord(text: string): string {
  return text.split("/").map(tagWord).join("/");
}
