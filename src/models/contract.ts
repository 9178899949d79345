/** What the rest of hearth may ask of the model store. Implemented by `library.ts`; tests use a fake. */
import type { InstalledModel, ModelInfo, Progress } from "../spec/model.ts";

export interface PullOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export interface ListOptions {
  /** Called once for each model of the store that is damaged, with a sentence that says what to do. */
  readonly onWarning?: (message: string) => void;
}

/** Result of hashing one file of a model again. */
export interface VerifyResult {
  readonly model: string;
  readonly file: string;
  readonly status: "ok" | "changed" | "missing" | "unhashed";
  readonly message?: string;
}

/** One row of `catalog.json`. Sources are tried in order. */
export interface CatalogEntry {
  readonly name: string;
  readonly tag: string;
  /** `name` alone means this tag. */
  readonly default?: boolean;
  readonly description: string;
  readonly kind:
    | "chat"
    | "embed"
    | "rerank"
    | "vision"
    | "transcribe"
    | "speak"
    | "detect"
    | "classify"
    | "segment"
    | "pose"
    | "upscale"
    | "ocr";
  readonly license: string;
  readonly sources: readonly CatalogSource[];
}

export interface CatalogSource {
  /** A model reference: `hf:…`, `npm:…`, `https:…`. Of several, each carries a part of one file, in order. */
  readonly from: string | readonly string[];
  /**
   * Files inside the package or repository, where the reference does not say. With one `from`: all files of the
   * model, the weights first. With several: one per `from`.
   */
  readonly files?: readonly string[];
  /** What the files are called in the store, in the same order, where they lie in several folders of a package of npm. */
  readonly names?: readonly string[];
  /** All files together. For display: exact only where a SHA-256 stands beside. */
  readonly sizeBytes: number;
  /** SHA-256 of the weights, of the joined file for parts. Absent where only the hub knows it. */
  readonly sha256?: string;
  /** Options that suit these weights where a request says nothing, by their Modelfile names. */
  readonly parameters?: Readonly<Record<string, number>>;
}

export interface ModelLibrary {
  /** Models of the store and of other tools' stores, by name. Reads no weights and loads no native code. */
  list(options?: ListOptions): Promise<readonly InstalledModel[]>;
  /** An installed model. Throws `model_not_found`, saying what is close and whether the catalog has it. */
  resolve(text: string): Promise<InstalledModel>;
  /** Fetches a model, or returns it at once when it is here. Calls for one model share one transfer. */
  pull(text: string, options?: PullOptions): Promise<InstalledModel>;
  /** Removes a name, and the bytes that no other name needs. Files of other tools are never touched. */
  remove(name: string): Promise<void>;
  /** Gives a model a second name; copies no bytes. */
  copy(source: string, destination: string): Promise<InstalledModel>;
  /** Hashes every file again. */
  verify(name?: string, options?: PullOptions): Promise<readonly VerifyResult[]>;
  /** The header of the weights, validated; cached by model id. Throws `model_malformed` or `model_unsupported`. */
  inspect(model: InstalledModel): Promise<ModelInfo>;
  catalog(): readonly CatalogEntry[];
}
