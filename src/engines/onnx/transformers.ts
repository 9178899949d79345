/** The part of @huggingface/transformers that is used, set up so that it never opens a connection. */
import { HearthError } from "../../error.ts";

export interface TokenizerOptions {
  readonly text_pair?: string;
  readonly add_special_tokens?: boolean;
  readonly return_tensor?: false;
}

export interface Encoding {
  readonly input_ids: readonly number[];
  readonly token_type_ids?: readonly number[];
}

export interface Tokenizer {
  (text: string, options: TokenizerOptions & { readonly return_tensor: false }): Encoding;
  decode(tokens: readonly number[], options: { readonly skip_special_tokens: boolean }): string;
  readonly pad_token_id?: number;
  readonly all_special_ids: readonly number[];
  /** Longer texts are cut by pipelines, without a word. */
  readonly model_max_length?: number;
  /** Of translators between many languages. */
  readonly language_codes?: readonly string[];
}

export interface TransformersTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: ArrayBufferView;
}

export interface TransformersImage {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** Pictures → pixels in the shape that a model takes, and what it says of them. */
export type ImageProcessor = (
  images: readonly TransformersImage[],
  options: { readonly return_row_col_info: boolean },
) => Promise<Readonly<Record<string, unknown>>>;

/** Gives what its task gives; the tasks check it. */
export interface Pipeline {
  (input: unknown, ...rest: readonly unknown[]): Promise<unknown>;
  readonly model: PipelineModel;
  readonly tokenizer: Tokenizer;
  readonly processor: (input: unknown) => Promise<Readonly<Record<string, TransformersTensor>>>;
  dispose(): Promise<void>;
}

export interface PipelineModel {
  (inputs: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, TransformersTensor>>>;
  readonly generation_config?: unknown;
}

export interface LoadFiles {
  readonly local_files_only: true;
  readonly dtype?: string;
  readonly device?: string;
  readonly subfolder?: string;
  readonly session_options?: Readonly<Record<string, unknown>>;
}

export interface Transformers {
  readonly env: {
    allowRemoteModels: boolean;
    allowLocalModels: boolean;
    localModelPath: string;
    remoteHost: string;
    useFSCache: boolean;
    useBrowserCache: boolean;
    useWasmCache?: boolean;
    cacheDir: string | null;
    logLevel?: number;
    fetch?: (input: unknown) => Promise<never>;
  };
  readonly AutoTokenizer: { from_pretrained(folder: string, options: LoadFiles): Promise<Tokenizer> };
  readonly AutoImageProcessor: { from_pretrained(folder: string, options: LoadFiles): Promise<ImageProcessor> };
  readonly TextStreamer: new (
    tokenizer: Tokenizer,
    options: {
      readonly skip_prompt: boolean;
      readonly skip_special_tokens: boolean;
      readonly callback_function: (text: string) => void;
    },
  ) => unknown;
  readonly InterruptableStoppingCriteria: new () => { interrupt(): void };
  readonly RawImage: new (
    data: Uint8Array,
    width: number,
    height: number,
    channels: 1 | 2 | 3 | 4,
  ) => TransformersImage;
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => TransformersTensor;
  pipeline(task: string, folder: string, options: LoadFiles): Promise<Pipeline>;
}

const errorsOnly = 40;

/** `module`: its URL. Models are folders on this machine, given by their whole path. */
export async function importTransformers(module: string): Promise<Transformers> {
  const transformers = (await import(module)) as Transformers;
  const { env } = transformers;
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = "";
  env.remoteHost = "";
  env.useFSCache = false;
  env.useBrowserCache = false;
  env.useWasmCache = false;
  env.cacheDir = null;
  env.logLevel = errorsOnly;
  env.fetch = async (input) => {
    throw new HearthError("offline", `The engine wanted to fetch ${String(input)}, which it must not.`);
  };
  return transformers;
}
