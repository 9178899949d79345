/** The sampling flags of `run`, which are also the names of `/set parameter`. */
import { parseInteger } from "../../config/values.ts";
import { HearthError } from "../../error.ts";
import type { Sampling } from "../../spec/sampling.ts";
import { didYouMean } from "../../util/distance.ts";
import { parseNumber, type ValueRow } from "../command.ts";

type SamplingFlag =
  | "temperature"
  | "top-k"
  | "top-p"
  | "min-p"
  | "typical-p"
  | "repeat-penalty"
  | "repeat-last-tokens"
  | "presence-penalty"
  | "frequency-penalty"
  | "seed";

const number = (text: string): ValueRow<number> => ({ kind: "value", value: "N", text, parse: parseNumber });
const integer = (text: string): ValueRow<number> => ({ kind: "value", value: "N", text, parse: parseInteger });

export const samplingFlags: Readonly<Record<SamplingFlag, ValueRow<number>>> = {
  temperature: number("how freely the next token is chosen; 0 always takes the likeliest"),
  "top-k": integer("choose among this many of the likeliest tokens; 0: all"),
  "top-p": number("choose among the likeliest tokens that make up this share of the probability"),
  "min-p": number("leave out tokens below this share of the likeliest one's probability"),
  "typical-p": number("choose among tokens whose surprise is near the average; 1: off"),
  "repeat-penalty": number("make tokens of the recent text less likely; 1: off"),
  "repeat-last-tokens": number("how much text the penalties look back on; -1: all"),
  "presence-penalty": number("subtracted from the score of each token that has occurred"),
  "frequency-penalty": number("subtracted from a token's score for each time it has occurred"),
  seed: number("equal seeds give equal answers"),
};

/** What a person may set for all answers of a chat. */
export interface Parameters {
  sampling: Sampling;
  maxTokens?: number | undefined;
  stop: readonly string[];
  contextTokens?: number | undefined;
}

/** Values of the sampling flags → sampling options: `top-k` is `topK`. */
export function toSampling(values: Readonly<Partial<Record<SamplingFlag, number | undefined>>>): Sampling {
  const entries = Object.keys(samplingFlags)
    .map((flag) => [samplingKey(flag), values[flag as SamplingFlag]] as const)
    .filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}

/** Names that people know from Ollama. */
const aliases: Readonly<Record<string, string>> = {
  "num-predict": "max-tokens",
  "num-ctx": "context",
  "repeat-last-n": "repeat-last-tokens",
};

const parameterNames: readonly string[] = [...Object.keys(samplingFlags), "max-tokens", "context", "stop"];

/** `/set parameter NAME VALUE`. Throws `usage` for an unknown name or a value that is none. */
export function setParameter(parameters: Parameters, name: string, text: string): void {
  const spelled = name.toLowerCase().replaceAll("_", "-");
  const known = aliases[spelled] ?? spelled;
  if (!parameterNames.includes(known)) {
    throw new HearthError("usage", `There is no parameter "${name}".${didYouMean(known, parameterNames)}`, {
      hint: `The parameters are ${parameterNames.join(", ")}.`,
    });
  }
  if (known === "stop") parameters.stop = [...parameters.stop, text];
  else if (known === "max-tokens") parameters.maxTokens = parseInteger(text, known);
  else if (known === "context") parameters.contextTokens = parseInteger(text, known);
  else {
    const value = samplingFlags[known as SamplingFlag].parse(text, known);
    parameters.sampling = { ...parameters.sampling, [samplingKey(known)]: value };
  }
}

/** `name value` lines of what is set. */
export function listParameters(parameters: Parameters): readonly (readonly [string, string])[] {
  const sampling = Object.keys(samplingFlags).map((flag) => [flag, parameters.sampling[samplingKey(flag)]] as const);
  const rest = [
    ["max-tokens", parameters.maxTokens],
    ["context", parameters.contextTokens],
    ...parameters.stop.map((text) => ["stop", JSON.stringify(text)] as const),
  ] as const;
  return [...sampling, ...rest]
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, String(value)]);
}

type NumberOption = Exclude<keyof Sampling, "xtc" | "dry" | "mirostat" | "logitBias">;

function samplingKey(flag: string): NumberOption {
  return flag.replace(/-./g, (pair) => pair.slice(1).toUpperCase()) as NumberOption;
}
