import type {
  Device,
  EngineMemory,
  EngineModel,
  EngineProfile,
  GenerateRequest,
  LoadOptions,
} from "../../spec/engine.ts";
import type { Capability, ModelInfo } from "../../spec/model.ts";
import type { Perform } from "../../spec/perform.ts";
import type { Sampling } from "../../spec/sampling.ts";

/** What a fake engine answers and when. Every hook may wait for a test's gate, or throw. */
export interface FakeOptions {
  /** The answer: text (one token a word), exact pieces (one token each), or made from prompt and request. Default: the prompt's plain text. */
  readonly reply?: FakeReply | ((prompt: string, request: GenerateRequest) => FakeReply);
  /** Default: what the model's info says. */
  readonly capabilities?: readonly Capability[];
  readonly samplingOptions?: ReadonlySet<keyof Sampling>;
  /** Default: the load option, else the trained context, at most 4096. */
  readonly contextTokens?: number;
  /** Default: the load option, else 8. */
  readonly parallel?: number;
  /** Components of an embedding. Default: the model's, at most 64. */
  readonly dimensions?: number;
  readonly memory?: EngineMemory | ((model: EngineModel, options: LoadOptions) => EngineMemory);
  /** What every call of `profile` says; absent: the engine has none. */
  readonly profile?: EngineProfile;
  /** false: it cannot tell how likely a prompt is. */
  readonly scores?: false;
  /** Runs the tasks that are no text generation; absent: the engine has none. */
  readonly perform?: Perform;
  readonly refuse?: (info: ModelInfo, device: Device) => string | undefined;
  readonly beforeLoad?: (model: EngineModel, options: LoadOptions) => void | Promise<void>;
  /** Before the prompt of a request is worked on. */
  readonly beforePrompt?: (request: GenerateRequest) => void | Promise<void>;
  /** Before the token with this index is made. */
  readonly beforeToken?: (index: number, request: GenerateRequest) => void | Promise<void>;
  /** Before an embedding, a ranking or a scoring. */
  readonly beforeBatch?: (texts: readonly string[]) => void | Promise<void>;
}

export type FakeReply = string | readonly string[];
