/** What a source hands to the store: files in the staging folder, hashed and checked, and where they came from. */
import type { ModelFile, ModelOverrides, ModelReference, Progress } from "../../spec/model.ts";

export interface StagedFile {
  readonly role: ModelFile["role"];
  readonly name: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** undefined: the store has these bytes already. */
  readonly staged: string | undefined;
}

export interface Fetched {
  readonly files: readonly StagedFile[];
  /** Reference with everything pinned, e.g. `hf:owner/repo/file@commit`. */
  readonly source: string;
  readonly license?: string | undefined;
  readonly overrides?: ModelOverrides | undefined;
  /** Further staged files that are not needed once the model is installed. */
  readonly leftovers: readonly string[];
}

/** One row of the catalog's sources, or what the person typed. */
export interface SourceRequest {
  /** Several: each carries a part of one file. */
  readonly references: readonly Exclude<ModelReference, { kind: "path" | "name" }>[];
  readonly files?: readonly string[] | undefined;
  /** Names that the files get, in the same order. */
  readonly names?: readonly string[] | undefined;
  readonly sha256?: string | undefined;
  readonly sizeBytes?: number | undefined;
  /** What the catalog says of these weights; a source's own overrides win. */
  readonly overrides?: ModelOverrides | undefined;
}

/** What a piece of shared work gets: when to stop, and whom to tell. */
export interface Reporter {
  readonly signal: AbortSignal;
  readonly report: (progress: Progress) => void;
}

/** The transfer that a source works for. */
export interface Courier extends Reporter {
  /** How long a source may take for its first word: short while another source follows, patient for the last one. */
  readonly answerTimeoutMs: number;
}

/** What a file is for, from its name. */
export function roleOfFile(name: string): ModelFile["role"] {
  const base = name.split("/").at(-1) ?? name;
  if (/^mmproj|[-._]mmproj[-._]/i.test(base)) return "projector";
  if (/^(tokenizer|vocab|merges|special_tokens)/i.test(base)) return "tokenizer";
  if (/\.json$/i.test(base)) return "config";
  if (/^license/i.test(base)) return "license";
  return /\.(gguf|onnx|tflite|safetensors|bin|part)$/i.test(base) ? "weights" : "other";
}
