/**
 * The few things that node-llama-cpp 3.22.1 has and does not export. The pack pins that version; each is looked for
 * before it is used, so another version loses some speed and the logprobs, and nothing else.
 */
import type { LlamaContext, LlamaContextSequence, LlamaModel, Token, TokenBias } from "node-llama-cpp";
import type { SequenceEvaluateOptions } from "node-llama-cpp";
import type { GrammarWatch } from "./guard.ts";

/** Sets the bias of any token; the public function leaves out those that end a text. */
export function setBias(bias: TokenBias, token: Token, logit: number): void {
  const { _biases } = bias as unknown as { readonly _biases?: Map<Token, number> };
  if (_biases instanceof Map) _biases.set(token, logit);
  else bias.set(token, { logit });
}

interface NativeSampler {
  applyConfig(config: unknown): void;
  dispose(): void;
}

/** Logits before sampling. */
export interface RawLogits {
  /** The highest first, then the one of the chosen token: [token, logit, token, logit …]. */
  readonly pairs: readonly number[];
  /** Sum of exp(logit - highest) over the whole vocabulary. */
  readonly total: number;
}

/** A token that was chosen; with `top`, the logits that it was chosen from. */
export interface Chosen {
  readonly token: Token;
  readonly logits?: RawLogits;
}

export interface SampleRequest {
  /** At least one, not in the cache yet. */
  readonly tokens: readonly Token[];
  /** What may follow: computed in the same batch, and taken back where something else is chosen. */
  readonly guess?: readonly Token[];
  /** Report the logits of so many tokens. */
  readonly top?: number | undefined;
}

/** The sampling loop without the generators and locks around it: a sequence of ours has one user at a time. */
export interface Sampler {
  /**
   * Evaluates the tokens and samples the next one. As long as that is what was guessed it samples the one after it too,
   * as if it had been asked again. At places that a wrong guess led to nothing is sampled: penalties, grammar and random
   * numbers are those of a run without guesses.
   */
  next(request: SampleRequest): Promise<readonly Chosen[]>;
  dispose(): void;
}

interface NativeContext {
  sampleToken(index: number, sampler: NativeSampler, ...rest: unknown[]): Promise<unknown>;
  removeTokenCellsFromSequence(sequence: number, start: number, end: number): boolean;
  copySequenceStateFromOtherSequence(target: number, source: number): Promise<number>;
  initBatch(rows: number): void;
  addToBatch(...rest: readonly unknown[]): unknown;
  decodeBatch(): Promise<void>;
}

type OnLogits = (index: number, place: number) => Promise<void>;

interface HiddenSequence {
  readonly _sequenceId: number;
  readonly _context: { readonly _ctx: NativeContext };
  readonly _tokenMeter: unknown;
  _takeIntervalCheckpointIfNeededAfterBatch(length: number): unknown;
  _contextTokens: Token[];
  _nextTokenIndex: number;
  _resolveSamplerConfig(options: unknown): unknown;
  _copyStateFromOtherSequence(source: unknown, tokens: number): Promise<boolean>;
  _decodeTokens(tokens: readonly Token[], logits: readonly true[], ...rest: unknown[]): Promise<unknown>;
}

interface HiddenModel {
  readonly _model: object;
  readonly _llama?: { readonly _bindings?: { readonly AddonSampler?: new (model: object) => NativeSampler } };
}

/** That object, if all the functions are there. */
function withFunctions<T extends object>(value: unknown, names: readonly (keyof T & string)[]): T | undefined {
  const found = value as Partial<T> | undefined;
  return found && names.every((name) => typeof found[name] === "function") ? (found as T) : undefined;
}

function contextOf(sequence: LlamaContextSequence, names: readonly (keyof NativeContext)[]): NativeContext | undefined {
  const { _context } = sequence as unknown as Partial<HiddenSequence>;
  return withFunctions<NativeContext>(_context?._ctx, names);
}

const defaultPriority = 5;
/** We stop before the context is full, so it is never shifted. */
const noShift = { size: 1, strategy: "eraseBeginning" };

/**
 * The next turn of the event loop. node-llama-cpp takes what is queued when a batch ends into the next one, and does not
 * give up the context in between. Who queues at once leaves out those who come a moment later, so that sequences compute
 * one after the other instead of together, and keeps all away who wait for the context: new requests first of all.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export interface SamplerRequest {
  readonly sequence: LlamaContextSequence;
  readonly model: LlamaModel;
  readonly options: SequenceEvaluateOptions;
  readonly watch: GrammarWatch | undefined;
}

interface OpenSampler {
  readonly context: NativeContext;
  readonly hidden: HiddenSequence;
  readonly priority: number;
  /** Samples from the logits of a row of the batch just computed. */
  readonly take: (index: number, top: number | undefined) => Promise<Chosen>;
  /** All sequences of the batch have sampled. */
  readonly onBatchEnd: () => void;
}

/** undefined: this version of node-llama-cpp is another one. */
export function openSampler({ sequence, model, options, watch }: SamplerRequest): Sampler | undefined {
  const names = ["_decodeTokens", "_resolveSamplerConfig", "_takeIntervalCheckpointIfNeededAfterBatch"] as const;
  const hidden = withFunctions<HiddenSequence>(sequence, names);
  const context = contextOf(sequence, ["sampleToken", "removeTokenCellsFromSequence"]);
  const { _model, _llama } = model as unknown as HiddenModel;
  const AddonSampler = _llama?._bindings?.AddonSampler;
  if (!hidden || !context || typeof AddonSampler !== "function") return undefined;

  const open = (config: unknown): NativeSampler => {
    const sampler = new AddonSampler(_model);
    sampler.applyConfig(hidden._resolveSamplerConfig(config));
    return sampler;
  };
  // One configuration lasts: the sampler itself remembers what it has sampled, for penalties and for the grammar.
  const sampler = open(options);
  const choose = async (index: number): Promise<Token> => (await context.sampleToken(index, sampler)) as Token;
  let reader: NativeSampler | undefined;
  let between: Promise<void> | undefined;
  const take = async (index: number, top: number | undefined): Promise<Chosen> => {
    const token = await (watch ? watch.sampling(() => choose(index)) : choose(index));
    if (top === undefined) return { token };
    // Greedy: the one chain that leaves the logits as they are.
    reader ??= open({ temperature: 0 });
    const filter = [[token], false, false, false, Math.max(1, top)];
    const result = await context.sampleToken(index, reader, false, false, filter, true);
    const [, , , pairs, total] = result as readonly [number, unknown, unknown, readonly number[], number];
    return { token, logits: { pairs, total } };
  };
  return {
    async next(request) {
      await between;
      const done = Promise.withResolvers<void>();
      between = done.promise.then(() => nextTurn());
      const priority = options.evaluationPriority ?? defaultPriority;
      return await nextTokens(request, { context, hidden, priority, take, onBatchEnd: () => done.resolve() });
    },
    dispose() {
      sampler.dispose();
      reader?.dispose();
    },
  };
}

async function nextTokens({ tokens, guess = [], top }: SampleRequest, opened: OpenSampler): Promise<readonly Chosen[]> {
  const { context, hidden, priority, take, onBatchEnd } = opened;
  const rows = [...tokens, ...guess];
  const end = hidden._nextTokenIndex + rows.length;
  const chosen: Chosen[] = [];
  let right = true;
  let wrong = 0;
  let stuck = false;
  // Called for one row after the other, between two batches.
  const onLogits: OnLogits = async (index, place) => {
    if (right) {
      const taken = await take(index, top);
      right = taken.token === guess[chosen.push(taken) - 1];
    }
    if (place < rows.length - 1) return;
    wrong = guess.length + 1 - chosen.length;
    // Not later: nothing may change the cache while a batch is computed, and the next one may begin at once.
    stuck = wrong > 0 && !context.removeTokenCellsFromSequence(hidden._sequenceId, end - wrong, end);
  };
  const wanted: true[] = [];
  for (let place = tokens.length - 1; place < rows.length; place++) wanted[place] = true;
  const after = (length: number): unknown => {
    onBatchEnd();
    return hidden._takeIntervalCheckpointIfNeededAfterBatch(length);
  };
  await hidden._decodeTokens(rows, wanted, priority, hidden._tokenMeter, noShift, onLogits, after);
  if (stuck) throw new Error("The cache of this model cannot go back.");
  if (wrong > 0) {
    hidden._contextTokens = hidden._contextTokens.slice(0, -wrong);
    hidden._nextTokenIndex -= wrong;
  }
  return chosen;
}

/** Whether guesses can be taken back: recurrent layers keep no earlier state. */
export function canGoBack({ fileInsights }: LlamaModel): boolean {
  return !fileInsights.isRecurrent && !fileInsights.isHybrid;
}

/** Whether `copyPrefix` works. Windowed and recurrent layers do not keep all that a shorter prefix needs. */
export function canCopy(sequence: LlamaContextSequence): boolean {
  const hidden = withFunctions<HiddenSequence>(sequence, ["_copyStateFromOtherSequence"]);
  const context = contextOf(sequence, ["copySequenceStateFromOtherSequence"]);
  return hidden !== undefined && context !== undefined && !sequence.needsCheckpoints;
}

/**
 * Gives `target` the first tokens that `source` holds, which may be computing. False: it could not be done, and the target
 * is empty. llama.cpp copies keys and values with the next batch only: until one was computed neither of the two may be
 * written to a file or read from one.
 */
export async function copyPrefix(
  source: LlamaContextSequence,
  target: LlamaContextSequence,
  tokens: number,
): Promise<boolean> {
  const hidden = target as unknown as HiddenSequence;
  const copied = await hidden._copyStateFromOtherSequence(source, tokens).catch(() => false);
  if (!copied) await target.clearHistory();
  return copied;
}

/** One call of llama.cpp. */
export interface Batch {
  readonly sequences: number;
  readonly rows: number;
  readonly ms: number;
}

/** Tells of every batch that a context has computed. */
export function observeBatches(context: LlamaContext, onBatch: (batch: Batch) => void): void {
  const { _ctx } = context as unknown as { readonly _ctx?: NativeContext };
  const native = withFunctions<NativeContext>(_ctx, ["initBatch", "addToBatch", "decodeBatch"]);
  if (!native) return;
  const init = native.initBatch.bind(native);
  const add = native.addToBatch.bind(native);
  const decode = native.decodeBatch.bind(native);
  let rows = 0;
  let sequences = 0;
  const observed: Partial<NativeContext> = {
    initBatch(count) {
      [rows, sequences] = [count, 0];
      init(count);
    },
    addToBatch(...rest) {
      sequences++;
      return add(...rest);
    },
    async decodeBatch() {
      const started = performance.now();
      await decode();
      onBatch({ sequences, rows, ms: performance.now() - started });
    },
  };
  // The class has them read-only; the object may have its own.
  for (const [name, value] of Object.entries(observed)) Object.defineProperty(native, name, { value });
}

/** Throws where the two models do not have one vocabulary. */
export function checkSameVocabulary(target: LlamaContext, draft: LlamaContext): void {
  type Checking = NativeContext & { ensureDraftContextIsCompatibleForSpeculative(draft: NativeContext): void };
  const { _ctx } = target as unknown as { readonly _ctx?: Checking };
  const native = withFunctions<Checking>(_ctx, ["ensureDraftContextIsCompatibleForSpeculative"]);
  if (!native) throw new Error("this version of node-llama-cpp cannot compare vocabularies");
  native.ensureDraftContextIsCompatibleForSpeculative((draft as unknown as { readonly _ctx: NativeContext })._ctx);
}
