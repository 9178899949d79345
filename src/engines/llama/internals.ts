/**
 * The few things that node-llama-cpp 3.22.1 has and does not export. The pack pins that version; each is looked for
 * before it is used, so another version loses some speed and the logprobs, and nothing else.
 */
import type { LlamaContextSequence, LlamaModel, SequenceEvaluateOptions, Token, TokenBias } from "node-llama-cpp";
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

/** The sampling loop without the generators and locks around it: a sequence of ours has one user at a time. */
export interface Sampler {
  /** Evaluates the tokens and samples the next one; with `top`, the logits too. */
  next(tokens: readonly Token[], top: number | undefined): Promise<{ token: Token; logits?: RawLogits }>;
  dispose(): void;
}

interface HiddenContext {
  readonly sampleToken?: unknown;
}

interface NativeContext {
  sampleToken(index: number, sampler: NativeSampler, ...rest: unknown[]): Promise<unknown>;
}

interface HiddenSequence {
  readonly _tokenMeter: unknown;
  readonly _context?: { readonly _ctx?: HiddenContext };
  readonly _takeIntervalCheckpointIfNeededAfterBatch: unknown;
  readonly _resolveSamplerConfig?: unknown;
  readonly _decodeTokens?: unknown;
}

interface KnownSequence {
  _resolveSamplerConfig(options: unknown): unknown;
  _decodeTokens(tokens: readonly Token[], logits: readonly true[], ...rest: unknown[]): Promise<readonly unknown[]>;
}

interface HiddenModel {
  readonly _model: object;
  readonly _llama?: { readonly _bindings?: { readonly AddonSampler?: new (model: object) => NativeSampler } };
}

const priority = 5;
/** We stop before the context is full, so it is never shifted. */
const noShift = { size: 1, strategy: "eraseBeginning" };

export interface SamplerRequest {
  readonly sequence: LlamaContextSequence;
  readonly model: LlamaModel;
  readonly options: SequenceEvaluateOptions;
  readonly watch: GrammarWatch | undefined;
}

/** undefined: this version of node-llama-cpp is another one. */
export function openSampler({ sequence, model, options, watch }: SamplerRequest): Sampler | undefined {
  const seen = sequence as unknown as HiddenSequence;
  const { _model, _llama } = model as unknown as HiddenModel;
  const AddonSampler = _llama?._bindings?.AddonSampler;
  const functions = [seen._decodeTokens, seen._resolveSamplerConfig, seen._context?._ctx?.sampleToken, AddonSampler];
  if (!AddonSampler || !functions.every((value) => typeof value === "function")) return undefined;
  const hidden = sequence as unknown as KnownSequence;
  const context = seen._context?._ctx as NativeContext;

  // One configuration lasts: the sampler itself remembers what it has sampled, for penalties and for the grammar.
  const sampler = new AddonSampler(_model);
  sampler.applyConfig(hidden._resolveSamplerConfig(options));
  const choose = async (index: number): Promise<Token> => (await context.sampleToken(index, sampler)) as Token;
  const sample = (index: number): Promise<Token> => (watch ? watch.sampling(() => choose(index)) : choose(index));
  let reader: NativeSampler | undefined;
  const readLogits = async (index: number, token: number, top: number): Promise<RawLogits> => {
    if (!reader) {
      reader = new AddonSampler(_model);
      // Greedy: the one chain that leaves the logits as they are.
      reader.applyConfig(hidden._resolveSamplerConfig({ temperature: 0 }));
    }
    const filter = [[token], false, false, false, Math.max(1, top)];
    const result = await context.sampleToken(index, reader, false, false, filter, true);
    const [, , , pairs, total] = result as readonly [number, unknown, unknown, readonly number[], number];
    return { pairs, total };
  };
  return {
    async next(tokens, top) {
      const onLogits = async (index: number): Promise<{ token: Token; logits?: RawLogits }> => {
        const token = await sample(index);
        return top === undefined ? { token } : { token, logits: await readLogits(index, token, top) };
      };
      const wanted: true[] = [];
      wanted[tokens.length - 1] = true;
      const meter = seen._tokenMeter;
      const after = seen._takeIntervalCheckpointIfNeededAfterBatch;
      const results = await hidden._decodeTokens(tokens, wanted, priority, meter, noShift, onLogits, after);
      return results[tokens.length - 1] as Awaited<ReturnType<typeof onLogits>>;
    },
    dispose() {
      sampler.dispose();
      reader?.dispose();
    },
  };
}
