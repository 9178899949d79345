/**
 * The few things that node-llama-cpp 3.22.1 has and does not export. The pack pins that version; each is looked for
 * before it is used, so another version loses the feature with an error that says so, and nothing else.
 */
import type { LlamaContextSequence, LlamaModel, Token, TokenBias } from "node-llama-cpp";
import { HearthError } from "../../error.ts";

/** Sets the bias of any token; the public function leaves out those that end a text. */
export function setBias(bias: TokenBias, token: Token, logit: number): void {
  const { _biases } = bias as unknown as { readonly _biases?: Map<Token, number> };
  if (_biases instanceof Map) _biases.set(token, logit);
  else bias.set(token, { logit });
}

export interface NativeSampler {
  applyConfig(config: unknown): void;
  dispose(): void;
}

/** Token, probabilities, confidence, logits as [token, logit, token, logit …], sum of exp(logit - highest). */
export type SampledArray = readonly [number, unknown, unknown, readonly number[], number];

export interface SequenceInternals {
  decode<T>(tokens: readonly Token[], onLogits: (index: number) => Promise<T>): Promise<T>;
  createSampler(): NativeSampler;
  /** Samples and remembers the token. The options are read anew: the look-back of penalties grows. */
  sample(index: number, sampler: NativeSampler, options: unknown): Promise<number>;
  /** Logits before sampling: the `top` highest ones in order, then the one of `token`. */
  logits(index: number, sampler: NativeSampler, query: { token: number; top: number }): Promise<SampledArray>;
}

interface HiddenSequence {
  readonly _tokenMeter: unknown;
  readonly _context: {
    readonly _ctx: { sampleToken(index: number, sampler: NativeSampler, ...rest: unknown[]): Promise<unknown> };
  };
  _resolveSamplerConfig(options: unknown): unknown;
  _decodeTokens(
    tokens: readonly Token[],
    logits: readonly (true | undefined)[],
    ...rest: unknown[]
  ): Promise<readonly unknown[]>;
}

interface HiddenModel {
  readonly _model: object;
  readonly _llama: { readonly _bindings: { readonly AddonSampler: new (model: object) => NativeSampler } };
}

const priority = 5;

export function openSequence(sequence: LlamaContextSequence, model: LlamaModel): SequenceInternals {
  const hidden = sequence as unknown as HiddenSequence;
  const { _model, _llama } = model as unknown as HiddenModel;
  const context = hidden._context?._ctx;
  if (typeof hidden._decodeTokens !== "function" || typeof context?.sampleToken !== "function") {
    throw new HearthError("unsupported_option", "This version of the llama engine cannot report logprobs.");
  }
  return {
    async decode(tokens, onLogits) {
      const wanted: (true | undefined)[] = [];
      wanted[tokens.length - 1] = true;
      const noShift = { size: 1, strategy: "eraseBeginning" };
      const results = await hidden._decodeTokens(tokens, wanted, priority, hidden._tokenMeter, noShift, onLogits);
      return results[tokens.length - 1] as Awaited<ReturnType<typeof onLogits>>;
    },
    createSampler: () => new _llama._bindings.AddonSampler(_model),
    async sample(index, sampler, options) {
      sampler.applyConfig(hidden._resolveSamplerConfig(options));
      return (await context.sampleToken(index, sampler)) as number;
    },
    async logits(index, sampler, { token, top }) {
      // Greedy: the one chain that leaves the logits as they are.
      sampler.applyConfig(hidden._resolveSamplerConfig({ temperature: 0 }));
      const filter = [[token], false, false, false, top];
      return (await context.sampleToken(index, sampler, false, false, filter, true)) as SampledArray;
    },
  };
}
