/** Sampling options. All optional: an engine applies its model's defaults. Ranges are checked by `checkSampling`. */
export interface Sampling {
  /** 0 is greedy. */
  readonly temperature?: number;
  /** 0 or less: off. */
  readonly topK?: number;
  /** 1: off. */
  readonly topP?: number;
  /** 0: off. */
  readonly minP?: number;
  /** 1: off. */
  readonly typicalP?: number;
  /** Keeps logits within this many standard deviations of the highest (arXiv 2411.07641). 0 or less: off. */
  readonly topNSigma?: number;
  /** 1: off. */
  readonly repeatPenalty?: number;
  /** Tokens that penalties look back on. 0: off, -1: the whole context. */
  readonly repeatLastTokens?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  readonly seed?: number;
  readonly xtc?: { readonly probability: number; readonly threshold: number };
  readonly dry?: DrySampling;
  readonly mirostat?: { readonly version: 1 | 2; readonly tau?: number; readonly eta?: number };
  /** Token id → value added to its logit; -100 or less bans it. */
  readonly logitBias?: ReadonlyMap<number, number>;
}

/** "Don't repeat yourself": a token that would lengthen a repetition is made less likely, the more so the longer it is. */
export interface DrySampling {
  /** 0: off. */
  readonly multiplier: number;
  /** Default 1.75. */
  readonly base?: number;
  /** Repetitions up to this many tokens cost nothing. Default 2. */
  readonly allowedLength?: number;
  /** Tokens that repetitions are looked for in. 0: off; -1, the default: the whole context. */
  readonly lastTokens?: number;
  /** No repetition reaches across one of these texts. Default: new line, colon, quotation mark, asterisk. */
  readonly sequenceBreakers?: readonly string[];
}

/** What the output must look like. Engines fail closed: a schema they cannot enforce is `grammar_invalid`. */
export type OutputFormat =
  | { readonly type: "text" }
  | { readonly type: "json" }
  | { readonly type: "json-schema"; readonly schema: { readonly [keyword: string]: unknown } }
  | { readonly type: "gbnf"; readonly grammar: string }
  /** The whole text matches, as between ^ and $. */
  | { readonly type: "regex"; readonly pattern: string };

/** What happens to a prompt that does not fit. `error` is the default everywhere: nothing is dropped in silence. */
export type OverflowPolicy = "error" | "truncate-oldest" | "truncate-middle";

/** What an overflow policy dropped. Travels in the body and in the header `x-hearth-dropped-tokens`. */
export interface OverflowReceipt {
  readonly policy: OverflowPolicy;
  readonly droppedTokens: number;
  readonly droppedMessages: number;
  readonly promptTokensBefore: number;
  readonly promptTokensAfter: number;
}

/** An option value that changes nothing; engines that lack the option may ignore it. */
const neutral: Readonly<Record<string, number>> = {
  topK: 0,
  topP: 1,
  minP: 0,
  typicalP: 1,
  topNSigma: 0,
  repeatPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
};

/** Names of the options that are set to a value that changes the output. */
export function activeSamplingOptions(sampling: Sampling): (keyof Sampling)[] {
  const active: (keyof Sampling)[] = [];
  for (const [name, value] of Object.entries(sampling)) {
    if (value === undefined || neutral[name] === value) continue;
    active.push(name as keyof Sampling);
  }
  return active;
}
