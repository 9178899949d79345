import { HearthError } from "../../error.ts";
import type {
  CallOptions,
  EngineMemory,
  EngineModel,
  GenerateRequest,
  LoadedModel,
  LoadOptions,
  ScoreRequest,
} from "../../spec/engine.ts";
import type { Capability } from "../../spec/model.ts";
import type { Perform } from "../../spec/perform.ts";
import type { Sampling } from "../../spec/sampling.ts";
import { abortError, raceAbort } from "../../util/abort.ts";
import { createDeferred } from "../../util/deferred.ts";
import { createSlots } from "../../util/slots.ts";
import { generateFake, toTokens } from "./generate.ts";
import type { FakeOptions } from "./options.ts";
import { scoreFake } from "./score.ts";
import { createFakeStats } from "./stats.ts";
import { fakeDetokenize, fakeTokenize } from "./tokens.ts";
import { type Guard, vectorMethods } from "./vectors.ts";

/** A loaded fake with what a test wants to see and do. */
export interface FakeModel extends LoadedModel {
  readonly engine: "fake";
  readonly model: EngineModel;
  readonly options: LoadOptions;
  /** Every generate request, in order. */
  readonly requests: readonly GenerateRequest[];
  readonly scoreRequests: readonly ScoreRequest[];
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
  const stats = createFakeStats(slots, { parallel, contextTokens });
  const requests: GenerateRequest[] = [];
  const scoreRequests: ScoreRequest[] = [];
  const died = createDeferred<void>();
  const ended = new AbortController();
  let disposed = false;

  const end = (error: HearthError): void => {
    slots.close(error);
    ended.abort(error);
  };
  const guard: Guard = async (work, signal) => {
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
    scoreRequests,
    get running() {
      return slots.running;
    },
    get waiting() {
      return slots.waiting;
    },
    get generatedTokens() {
      return stats.read().generatedTokens;
    },
    get disposed() {
      return disposed;
    },
    tokenize: (parts, call) => guard(async () => fakeTokenize(parts), call?.signal),
    detokenize: (tokens, call) => guard(async () => fakeDetokenize(tokens), call?.signal),
    ...(capabilities.some((name) => generating.includes(name)) && {
      generate(request: GenerateRequest, { signal }: CallOptions = {}) {
        requests.push(request);
        return generateFake(request, { fake, slots, contextTokens, stats }, eitherSignal(signal, ended.signal));
      },
    }),
    ...(capabilities.some((name) => generating.includes(name)) &&
      fake.scores !== false && {
        score: (request: ScoreRequest, call?: CallOptions) =>
          guard(async () => {
            scoreRequests.push(request);
            const result = scoreFake(request, contextTokens);
            await fake.beforeBatch?.([fakeDetokenize(toTokens(request.prompt))]);
            stats.batch(result.promptTokens);
            return result;
          }, call?.signal),
      }),
    ...vectorMethods({ capabilities, contextTokens, fake, stats, guard, most: info.embeddingLength }),
    ...(fake.perform && { perform: guardedPerform(fake.perform, { guard, capabilities, ended: ended.signal }) }),
    stats: stats.read,
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

interface Guarded {
  readonly guard: Guard;
  readonly capabilities: readonly Capability[];
  readonly ended: AbortSignal;
}

function guardedPerform(perform: Perform, { guard, capabilities, ended }: Guarded): Perform {
  return async (task, request, call = {}) => {
    if (!capabilities.includes(task)) throw new HearthError("unsupported_capability", `The fake cannot ${task}.`);
    return await guard(
      () => perform(task, request, { ...call, signal: eitherSignal(call.signal, ended) }),
      call.signal,
    );
  };
}

function eitherSignal(signal: AbortSignal | undefined, ended: AbortSignal): AbortSignal {
  return signal ? AbortSignal.any([signal, ended]) : ended;
}

function memoryOf(model: EngineModel, options: LoadOptions, fake: FakeOptions, tokens: number): EngineMemory {
  if (typeof fake.memory === "function") return fake.memory(model, options);
  return fake.memory ?? { ramBytes: model.info.weightBytes + model.info.kvBytesPerToken * tokens, vramBytes: 0 };
}
