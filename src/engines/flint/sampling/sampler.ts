import { HearthError } from "../../../error.ts";
import type { Sampling } from "../../../spec/sampling.ts";
import type { Candidates } from "./candidates.ts";
import { candidatesFor, findHighest } from "./candidates.ts";
import { draw, narrow } from "./chain.ts";
import type { History, TokenBytes } from "./history.ts";
import { cloneHistory, createHistory, remember } from "./history.ts";
import type { TokenChance } from "./logprobs.ts";
import { logprobsOf } from "./logprobs.ts";
import type { MirostatState } from "./mirostat.ts";
import { drawByMirostat, narrowByMirostat } from "./mirostat.ts";
import { applyEdits, createEdits, undoEdits } from "./penalties.ts";
import type { SamplingPlan } from "./plan.ts";
import { planSampling } from "./plan.ts";
import type { Random } from "./random.ts";
import { createRandom } from "./random.ts";

export interface SamplerOptions {
  /** The request's options over the model's defaults. What is absent is off; no temperature is greedy. */
  readonly sampling: Sampling;
  /** Length of a row of logits. */
  readonly vocabularySize: number;
  /** Asked only where DRY looks for sequence breakers. */
  readonly bytesOf: TokenBytes;
  /** Penalties look back on it. */
  readonly prompt?: ArrayLike<number> & Iterable<number>;
  /** Report the logprob of the chosen token and this many of the likeliest. */
  readonly topLogprobs?: number | undefined;
}

export interface SampledToken {
  readonly token: number;
  /** Of the row as the model wrote it, before penalties, mask and temperature. */
  readonly logprob?: number;
  readonly top?: readonly TokenChance[];
}

/** Chooses tokens for one sequence. The same options, rows and masks give the same tokens on every platform. */
export interface Sampler {
  /**
   * Chooses from a row of logits, which it leaves as it was; nothing may read the row meanwhile. `mask`: bit set,
   * allowed. Throws `grammar_invalid` where nothing is allowed, `engine_failed` where no logit is a number.
   */
  sample(row: Float32Array, mask?: Uint32Array): SampledToken;
  /** The tokens and probabilities that `sample` would choose from now. */
  distribution(row: Float32Array, mask?: Uint32Array): readonly TokenShare[];
  /** Penalties count it from now on. Also for tokens that were not sampled here. */
  accept(token: number): void;
  /** One that goes on from here by itself, with the same random numbers. */
  clone(): Sampler;
}

export interface TokenShare {
  readonly token: number;
  readonly probability: number;
}

interface Frame {
  readonly plan: SamplingPlan;
  readonly bytesOf: TokenBytes;
  readonly topLogprobs: number | undefined;
}

interface State {
  readonly random: Random;
  readonly history: History;
  readonly mirostat: MirostatState | undefined;
}

/** Throws `bad_request` for a bias of a token that the model does not have. */
export function createSampler(options: SamplerOptions): Sampler {
  const { sampling, vocabularySize, bytesOf, prompt = [], topLogprobs } = options;
  const plan = planSampling(sampling, vocabularySize);
  const { seed } = sampling;
  const history = createHistory();
  for (const token of prompt) remember(history, token, plan, bytesOf);
  const random = createRandom(seed === undefined || seed < 0 ? undefined : seed);
  const mirostat = plan.mirostat && {
    plan: plan.mirostat,
    temperature: plan.temperature,
    most: 2 * plan.mirostat.tau,
  };
  return openSampler({ plan, bytesOf, topLogprobs }, { random, history, mirostat });
}

function openSampler(frame: Frame, state: State): Sampler {
  const { plan, bytesOf, topLogprobs } = frame;
  const { random, history, mirostat } = state;
  const edits = createEdits();
  const edited = <T>(row: Float32Array, work: () => T): T => {
    applyEdits(row, edits, { plan, history, bytesOf });
    try {
      return work();
    } finally {
      undoEdits(row, edits);
    }
  };
  const prepare = (row: Float32Array, mask: Uint32Array | undefined, numbers: Random): Candidates => {
    const candidates = candidatesFor(row.length);
    if (mirostat) narrowByMirostat(candidates, row, mask, mirostat);
    else narrow(candidates, row, mask, { plan, random: numbers });
    if (candidates.count === 0) throw nothingToChoose(mask);
    return candidates;
  };
  const choose = (row: Float32Array, mask: Uint32Array | undefined): number => {
    if (plan.temperature === 0) return highestOf(row, mask);
    const candidates = prepare(row, mask, random);
    const index = mirostat ? drawByMirostat(candidates, random, mirostat) : draw(candidates, random);
    return candidates.tokens[index] ?? 0;
  };
  return {
    sample(row, mask) {
      const token = edited(row, () => choose(row, mask));
      return topLogprobs === undefined ? { token } : { token, ...logprobsOf(row, token, topLogprobs) };
    },
    distribution: (row, mask) =>
      edited(row, () =>
        plan.temperature === 0
          ? [{ token: highestOf(row, mask), probability: 1 }]
          : toShares(prepare(row, mask, random.clone())),
      ),
    accept(token) {
      remember(history, token, plan, bytesOf);
    },
    clone: () =>
      openSampler(frame, {
        random: random.clone(),
        history: cloneHistory(history),
        mirostat: mirostat && { ...mirostat },
      }),
  };
}

function highestOf(row: Float32Array, mask: Uint32Array | undefined): number {
  const token = findHighest(row, mask);
  if (token < 0) throw nothingToChoose(mask);
  return token;
}

function nothingToChoose(mask: Uint32Array | undefined): HearthError {
  if (!mask)
    return new HearthError("engine_failed", "The model's output has no number that a token could be chosen by.");
  return new HearthError("grammar_invalid", "No token of this model can go on as the format asks.", {
    hint: "A logit bias may ban what the format needs, or the model's output may be no numbers.",
  });
}

function toShares({ tokens, weights, total, count }: Candidates): readonly TokenShare[] {
  return Array.from({ length: count }, (_, index) => ({
    token: tokens[index] ?? 0,
    probability: (weights[index] ?? 0) / total,
  })).filter(({ probability }) => probability > 0);
}
