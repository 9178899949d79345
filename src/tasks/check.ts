/** Checks of what callers send: every number in its range, every list of a bounded length. */
import { HearthError } from "../error.ts";
import type { LoadedModel } from "../spec/engine.ts";
import { activeSamplingOptions } from "../spec/sampling.ts";
import type { Sampling } from "../spec/sampling.ts";
import type { GenerationOptions } from "../spec/task.ts";

/** Most texts of one embedding or reranking request, and characters of one prompt. */
export const mostTexts = 2048;
export const mostChars: number = 64 * 1024 ** 2;

export function refuse(field: string, problem: string, hint?: string): HearthError {
  return new HearthError("bad_request", `\`${field}\` ${problem}.`, { details: { field }, hint });
}

interface Range {
  readonly min: number;
  readonly max: number;
  readonly whole?: boolean;
}

const anyInteger: Range = { min: -(2 ** 31), max: 2 ** 31 - 1, whole: true };

const ranges: Readonly<Record<string, Range>> = {
  temperature: { min: 0, max: 100 },
  topK: anyInteger,
  topP: { min: 0, max: 1 },
  minP: { min: 0, max: 1 },
  typicalP: { min: 0, max: 1 },
  topNSigma: { min: -1, max: 100 },
  repeatPenalty: { min: 0, max: 10 },
  repeatLastTokens: { min: -1, max: 2 ** 31 - 1, whole: true },
  presencePenalty: { min: -2, max: 2 },
  frequencyPenalty: { min: -2, max: 2 },
  seed: { min: -(2 ** 53 - 1), max: 2 ** 53 - 1, whole: true },
  "xtc.probability": { min: 0, max: 1 },
  "xtc.threshold": { min: 0, max: 1 },
  "dry.multiplier": { min: 0, max: 100 },
  "dry.base": { min: 0, max: 100 },
  "dry.allowedLength": { min: 0, max: 2 ** 31 - 1, whole: true },
  "dry.lastTokens": { min: -1, max: 2 ** 31 - 1, whole: true },
  "mirostat.version": { min: 1, max: 2, whole: true },
  "mirostat.tau": { min: 0, max: 100 },
  "mirostat.eta": { min: 0, max: 1 },
};

/** Throws `bad_request` naming the first option that is out of its range. */
export function checkSampling(sampling: Sampling): void {
  for (const [name, value] of Object.entries(sampling as Readonly<Record<string, unknown>>)) {
    if (value === undefined) continue;
    if (name === "logitBias") checkLogitBias(value);
    else if (typeof value === "object" && value !== null) {
      for (const [inner, number] of Object.entries(value)) checkOption(`${name}.${inner}`, number);
    } else checkOption(name, value);
  }
}

function checkOption(name: string, value: unknown): void {
  if (name === "dry.sequenceBreakers") return checkBreakers(value);
  const range = ranges[name];
  if (!range) throw refuse(name, "is not a sampling option");
  if (value !== undefined) checkNumber(name, value, range);
}

function checkBreakers(value: unknown): void {
  const name = "dry.sequenceBreakers";
  if (!Array.isArray(value)) throw refuse(name, "must be a list of texts");
  if (value.length > 64) throw refuse(name, `has ${value.length} texts; 64 are the most`);
  for (const text of value as unknown[]) {
    if (typeof text !== "string" || text === "" || text.length > 40) {
      throw refuse(name, "holds something that is no text of 1 to 40 characters");
    }
  }
}

function checkLogitBias(value: unknown): void {
  if (!(value instanceof Map)) throw refuse("logitBias", "must map tokens to numbers");
  if (value.size > 4096) throw refuse("logitBias", `has ${value.size} entries; 4096 are the most`);
  for (const [token, bias] of value as Map<unknown, unknown>) {
    checkNumber("logitBias", token, { min: 0, max: 2 ** 31 - 1, whole: true });
    if (bias !== -Infinity) checkNumber("logitBias", bias, { min: -1000, max: 1000 });
  }
}

export function checkNumber(field: string, value: unknown, { min, max, whole = false }: Range): void {
  const good = typeof value === "number" && value >= min && value <= max && (!whole || Number.isInteger(value));
  if (good) return;
  const kind = whole ? "a whole number" : "a number";
  const shown = typeof value === "number" ? String(value) : typeof value;
  throw refuse(field, `is ${shown}; it must be ${kind} from ${min} to ${max}`);
}

/** Everything that chat and completion requests share. */
export function checkGeneration(request: GenerationOptions): void {
  const { sampling, maxTokens, stop, topLogprobs, promptLogprobs, n, keepAliveMs, adapters } = request;
  if (sampling) checkSampling(sampling);
  if (maxTokens !== undefined) checkNumber("maxTokens", maxTokens, { min: 0, max: 2 ** 31 - 1, whole: true });
  if (topLogprobs !== undefined) checkNumber("topLogprobs", topLogprobs, { min: 0, max: 20, whole: true });
  if (promptLogprobs !== undefined) checkNumber("promptLogprobs", promptLogprobs, { min: 0, max: 20, whole: true });
  if (n !== undefined) checkNumber("n", n, { min: 1, max: 16, whole: true });
  if (keepAliveMs !== undefined) checkNumber("keepAliveMs", keepAliveMs, { min: 0, max: Infinity });
  if (stop && stop.length > 16) throw refuse("stop", `has ${stop.length} strings; 16 are the most`);
  for (const text of stop ?? []) {
    if (text === "" || text.length > 1024) throw refuse("stop", "holds a string that is empty or longer than 1024");
  }
  if (adapters) checkAdapters(adapters);
}

function checkAdapters(adapters: NonNullable<GenerationOptions["adapters"]>): void {
  if (adapters.length > 64) throw refuse("adapters", `has ${adapters.length} entries; 64 are the most`);
  for (const { adapter, scale } of adapters) {
    if (typeof adapter !== "string") checkNumber("adapters", adapter, { min: 0, max: 63, whole: true });
    if (scale !== undefined) checkNumber("adapters", scale, { min: -1000, max: 1000 });
  }
}

export function checkLength(field: string, length: number): void {
  if (length > mostChars) throw refuse(field, `has ${length} characters; ${mostChars} are the most`);
}

/** Throws `unsupported_option` for an active option that the engine would ignore. */
export function checkSupported(sampling: Sampling, loaded: LoadedModel): void {
  for (const name of activeSamplingOptions(sampling)) {
    if (loaded.samplingOptions.has(name)) continue;
    throw new HearthError("unsupported_option", `The engine "${loaded.engine}" does not know the option "${name}".`, {
      details: { option: name, engine: loaded.engine },
    });
  }
}
