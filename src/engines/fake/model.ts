import { HearthError } from "../../error.ts";
import type {
  CallOptions,
  EngineMemory,
  EngineModel,
  GenerateRequest,
  LoadedModel,
  LoadOptions,
} from "../../spec/engine.ts";
import type { Capability } from "../../spec/model.ts";
import type { Sampling } from "../../spec/sampling.ts";
import { abortError, raceAbort } from "../../util/abort.ts";
import { createDeferred } from "../../util/deferred.ts";
import { createSlots } from "../../util/slots.ts";
import { generateFake, tooLong } from "./generate.ts";
import type { FakeOptions } from "./options.ts";
import { fakeDetokenize, fakeTokenize, hashText, splitWords } from "./tokens.ts";

/** A loaded fake with what a test wants to see and do. */
export interface FakeModel extends LoadedModel {
  readonly engine: "fake";
  readonly model: EngineModel;
  readonly options: LoadOptions;
  /** Every generate request, in order. */
  readonly requests: readonly GenerateRequest[];
  /** Requests that hold a slot, and that wait for one. */
  readonly running: number;
  readonly waiting: number;
  /** Tokens made since the load, also for nobody. */
  readonly generatedTokens: number;
  readonly disposed: boolean;
  /** Dies as a crashed process does: requests in flight throw `engine_failed`, `died` resolves. */
  die(message?: string): void;
}

const generating: readonly Capability[] = ["generate", "chat", "tools", "thinking", "insert"];

const allSamplingOptions: ReadonlySet<keyof Sampling> = new Set<keyof Sampling>([
  "temperature",
  "topK",
  "topP",
  "minP",
  "typicalP",
  "repeatPenalty",
  "repeatLastTokens",
  "presencePenalty",
  "frequencyPenalty",
  "seed",
  "xtc",
  "dry",
  "mirostat",
  "logitBias",
]);

export function createFakeModel(model: EngineModel, options: LoadOptions, fake: FakeOptions): FakeModel {
  const { info } = model;
  const { profile } = fake;
  const parallel = fake.parallel ?? options.parallel ?? 8;
  const contextTokens = fake.contextTokens ?? options.contextTokens ?? Math.min(info.trainContextTokens || 4096, 4096);
  const capabilities = fake.capabilities ?? info.capabilities;
  const slots = createSlots(parallel);
  const requests: GenerateRequest[] = [];
  const died = createDeferred<void>();
  const ended = new AbortController();
  let generatedTokens = 0;
  let disposed = false;

  const end = (error: HearthError): void => {
    slots.close(error);
    ended.abort(error);
  };
  const guard = async <T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
    const either = eitherSignal(signal, ended.signal);
    if (either.aborted) throw abortError(either);
    try {
      return await raceAbort(work(), either);
    } catch (error) {
      throw either.aborted ? abortError(either) : error;
    }
  };

  return {
    engine: "fake",
    model,
    options,
    capabilities,
    device: "cpu",
    contextTokens,
    parallel,
    samplingOptions: fake.samplingOptions ?? allSamplingOptions,
    died: died.promise,
    requests,
    get running() {
      return slots.running;
    },
    get waiting() {
      return slots.waiting;
    },
    get generatedTokens() {
      return generatedTokens;
    },
    get disposed() {
      return disposed;
    },
    tokenize: (parts, call) => guard(async () => fakeTokenize(parts), call?.signal),
    detokenize: (tokens, call) => guard(async () => fakeDetokenize(tokens), call?.signal),
    ...(capabilities.some((name) => generating.includes(name)) && {
      generate(request: GenerateRequest, { signal }: CallOptions = {}) {
        requests.push(request);
        const context = { fake, slots, contextTokens, onToken: () => void generatedTokens++ };
        return generateFake(request, context, eitherSignal(signal, ended.signal));
      },
    }),
    ...(capabilities.includes("embed") && {
      embed: ({ texts }: { texts: readonly string[] }, call?: CallOptions) =>
        guard(async () => {
          await fake.beforeBatch?.(texts);
          const tokens = countTokens(texts, contextTokens);
          return {
            vectors: texts.map((text) => embedText(text, fake.dimensions ?? Math.min(info.embeddingLength, 64))),
            tokens,
          };
        }, call?.signal),
    }),
    ...(capabilities.includes("rerank") && {
      rerank: ({ query, documents }: { query: string; documents: readonly string[] }, call?: CallOptions) =>
        guard(async () => {
          await fake.beforeBatch?.(documents);
          const tokens = countTokens(
            documents.map((document) => `${query} ${document}`),
            contextTokens,
          );
          return { scores: documents.map((document) => overlap(query, document)), tokens };
        }, call?.signal),
    }),
    ...(profile && { profile: async () => profile }),
    memory: () => memoryOf(model, options, fake, contextTokens * parallel),
    die(message = "The engine process was killed by SIGKILL.") {
      if (disposed || ended.signal.aborted) return;
      end(new HearthError("engine_failed", message, { details: { model: model.name } }));
      died.resolve();
    },
    async dispose() {
      disposed = true;
      if (!ended.signal.aborted) end(new HearthError("engine_failed", `Model "${model.name}" was unloaded.`));
    },
  };
}

function eitherSignal(signal: AbortSignal | undefined, ended: AbortSignal): AbortSignal {
  return signal ? AbortSignal.any([signal, ended]) : ended;
}

function memoryOf(model: EngineModel, options: LoadOptions, fake: FakeOptions, tokens: number): EngineMemory {
  if (typeof fake.memory === "function") return fake.memory(model, options);
  return fake.memory ?? { ramBytes: model.info.weightBytes + model.info.kvBytesPerToken * tokens, vramBytes: 0 };
}

function countTokens(texts: readonly string[], contextTokens: number): number {
  let sum = 0;
  for (const [index, text] of texts.entries()) {
    const promptTokens = splitWords(text).length;
    if (promptTokens > contextTokens) throw tooLong(promptTokens, contextTokens, index);
    sum += promptTokens;
  }
  return sum;
}

/** Each word adds 1 at the place its hash names, so texts with common words are near each other. */
function embedText(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(Math.max(1, dimensions));
  const words = normalWords(text);
  for (const word of words.length > 0 ? words : [""]) {
    const place = hashText(word) % vector.length;
    vector[place] = (vector[place] ?? 0) + 1;
  }
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

/** Part of the query's words that the document has. */
function overlap(query: string, document: string): number {
  const asked = new Set(normalWords(query));
  const given = new Set(normalWords(document));
  return asked.size === 0 ? 0 : [...asked].filter((word) => given.has(word)).length / asked.size;
}

function normalWords(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}
