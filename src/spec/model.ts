/** Words for models: what they are called, what they can do, where their files are. */
import type { Signature, TaskName } from "./perform.ts";

export type Format = "gguf" | "safetensors" | "onnx" | "tflite";

export type Capability =
  | "generate"
  | "chat"
  | "tools"
  | "thinking"
  | "insert"
  | "vision"
  | "embed"
  | "rerank"
  /** What `LoadedModel.perform` runs. */
  | TaskName;

/** What a person types to name a model, parsed. See `models/reference.ts` for the grammar. */
export type ModelReference =
  | { readonly kind: "name"; readonly name: string; readonly tag: string }
  | {
      readonly kind: "hf";
      readonly repo: string;
      readonly file?: string;
      /** Quantization asked for instead of a file, e.g. `Q4_K_M`. */
      readonly quantization?: string;
      readonly revision?: string;
    }
  | { readonly kind: "ollama"; readonly name: string; readonly tag: string }
  | { readonly kind: "npm"; readonly package: string; readonly version?: string; readonly file?: string }
  | { readonly kind: "https"; readonly url: string }
  | { readonly kind: "path"; readonly path: string };

/** One file of an installed model. */
export interface ModelFile {
  /** What the file is for: the weights, a LoRA adapter, a projector, a tokenizer, a license … */
  readonly role: "weights" | "adapter" | "projector" | "tokenizer" | "config" | "license" | "other";
  /** Name inside the model, e.g. `model.gguf`. Never used as a path. */
  readonly name: string;
  /** Lower-case hex SHA-256 of the bytes. Absent for a plain path that was never hashed. */
  readonly sha256?: string;
  readonly sizeBytes: number;
  /** Absolute path of the bytes on this machine. */
  readonly path: string;
}

/** Where an installed model's bytes live: our own store, another tool's store (adopted in place), or a plain path. */
export type ModelOrigin = "store" | "ollama" | "lmstudio" | "huggingface" | "llama.cpp" | "path";

/** A model whose files are on this machine. */
export interface InstalledModel {
  /** Canonical name, `name:tag` for store models; what `list` prints and requests use. */
  readonly name: string;
  /** Stable identity: lower-case hex SHA-256 of the manifest, or of path, size and time where there is none. */
  readonly id: string;
  readonly format: Format;
  readonly files: readonly ModelFile[];
  readonly sizeBytes: number;
  readonly origin: ModelOrigin;
  /** Reference it came from, e.g. `hf:owner/repo/file@revision`. */
  readonly source?: string;
  readonly license?: string;
  readonly modifiedAt: Date;
  /** Overrides that travel with the model (Modelfile-like): all optional. */
  readonly overrides?: ModelOverrides;
}

export interface ModelOverrides {
  readonly template?: string;
  readonly system?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** What the header of the weights says; read by `models/inspect.ts` without native code. */
export interface ModelInfo {
  readonly format: Format;
  readonly architecture: string;
  /** e.g. `1.1B`; from the tensor shapes. */
  readonly parameterCount: number;
  /** e.g. `Q4_K_M`. */
  readonly quantization: string;
  /** Context the model was trained for, tokens. */
  readonly trainContextTokens: number;
  readonly embeddingLength: number;
  readonly blockCount: number;
  readonly vocabularySize: number;
  /** Bytes of KV cache that one token needs with f16 keys and values. 0 for encoders. */
  readonly kvBytesPerToken: number;
  readonly weightBytes: number;
  readonly chatTemplate?: string;
  readonly bosToken?: string;
  readonly eosToken?: string;
  /** Texts of all control and user-defined tokens: user text that spells one is never tokenized as one. */
  readonly specialTokens: readonly string[];
  readonly capabilities: readonly Capability[];
  /** `mean`, `cls`, `last`, `rank` or `none` for embedding and reranking models. */
  readonly pooling?: "none" | "mean" | "cls" | "last" | "rank";
  /** Inputs and outputs of an ONNX or TFLite model. */
  readonly signature?: Signature;
  /** All scalar metadata of the file, for `show`. */
  readonly metadata: Readonly<Record<string, string | number | boolean | bigint>>;
}

/** Progress of a pull, a load, a verification, a conversion, a measurement: bytes where known. */
export interface Progress {
  readonly phase:
    | "resolve"
    | "download"
    | "verify"
    | "install"
    | "load"
    | "convert"
    | "quantize"
    | "prune"
    | "train"
    | "measure"
    | "done";
  /** What is being worked on, e.g. a file name. */
  readonly label: string;
  /** Of a training: steps. */
  readonly completedBytes: number;
  readonly totalBytes?: number;
  /** What else is known of it, in a few words. */
  readonly detail?: string;
}
