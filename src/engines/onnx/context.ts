/** What the tasks of a model are made of. */
import type {
  EmbedRequest,
  EmbedResult,
  GenerateRequest,
  LoadOptions,
  PromptPart,
  RerankRequest,
  RerankResult,
} from "../../spec/engine.ts";
import type { GenerateEvent } from "../../spec/event.ts";
import type { ReadSoundOptions } from "../../formats/audio/read.ts";
import type { ModelInfo } from "../../spec/model.ts";
import type { PerformOptions, TaskName, Tasks } from "../../spec/perform.ts";
import type { Sampling } from "../../spec/sampling.ts";
import type { Pictures } from "../media/image.ts";
import type { Config } from "./files.ts";
import type { RealDevice } from "./provider.ts";
import type { OnnxSession } from "./session.ts";
import type { Transformers } from "./transformers.ts";

export interface OnnxContext {
  readonly name: string;
  readonly info: ModelInfo;
  /** Absolute paths of the folder of the model and of the file of weights it is named by. */
  readonly folder: string;
  readonly path: string;
  readonly device: RealDevice;
  /** The runtime is the WebAssembly build. */
  readonly isWasm: boolean;
  /** How compressed sound is decoded, where the pack can. */
  readonly sounds: Pick<ReadSoundOptions, "openDecoder">;
  readonly threads: number;
  readonly options: LoadOptions;
  /** A session of a file below the folder, absent: of `path`. One for each file; all of them end with the model. */
  session(file?: string): Promise<OnnxSession>;
  /** An object in a JSON file of the folder; undefined: there is none. */
  config(name: string): Config | undefined;
  pictures(): Promise<Pictures>;
  transformers(): Promise<Transformers>;
}

export type RunTask<Name extends TaskName> = (
  request: Tasks[Name]["request"],
  options: PerformOptions<Name>,
) => Promise<Tasks[Name]["result"]>;

/** Work with texts that the engine contract has methods of its own for. */
export interface TextTasks {
  readonly contextTokens: number;
  /** Encoders: without the tokens that frame a text. Language models: as a prompt begins, -1 where a picture lies. */
  readonly tokenize: (parts: readonly PromptPart[]) => readonly number[] | Promise<readonly number[]>;
  readonly detokenize: (tokens: readonly number[]) => string;
}

export interface ModelTasks {
  readonly text?: TextTasks;
  readonly embed?: (request: EmbedRequest, signal?: AbortSignal) => Promise<EmbedResult>;
  readonly rerank?: (request: RerankRequest, signal?: AbortSignal) => Promise<RerankResult>;
  readonly generate?: (request: GenerateRequest, signal?: AbortSignal) => AsyncIterable<GenerateEvent>;
  /** Of `generate`. */
  readonly samplingOptions?: ReadonlySet<keyof Sampling>;
  /** Requests that are taken in at once. Absent: what suits the tasks. */
  readonly parallel?: number;
  readonly tasks?: { readonly [Name in TaskName]?: RunTask<Name> };
  /** Whether requests that come together become one run. */
  readonly batches?: boolean;
  readonly dispose?: () => Promise<void>;
}

export type OpenTasks = (context: OnnxContext) => Promise<ModelTasks>;
