/** Which options a model is loaded with, and whether a loaded model serves a request that asks for others. */
import type { Settings } from "../config/settings.ts";
import { HearthError } from "../error.ts";
import type { Device, EngineFootprint, EngineName, LoadedModel, LoadOptions } from "../spec/engine.ts";
import type { InstalledModel, ModelInfo } from "../spec/model.ts";
import { estimateMemory, fittingContext, type ModelSizes, type ResolvedLoad } from "./fit.ts";

export type LoadSettings = Pick<
  Settings,
  | "engine"
  | "device"
  | "context"
  | "parallel"
  | "threads"
  | "kvTypeK"
  | "kvTypeV"
  | "flashAttention"
  | "gpuLayers"
  | "speculation"
>;

const defaultContextTokens = 4096;
const defaultParallel = 8;
const leastParallel = 4;
/** Below this a chat is no use; parallel sequences are given up first. */
const usefulContextTokens = 1024;
const leastContextTokens = 512;

interface Request {
  readonly model: InstalledModel;
  readonly requested: LoadOptions;
  readonly settings: LoadSettings;
}

export interface LoadQuestion extends Request {
  readonly info: ModelInfo;
  readonly device: Device;
  readonly footprint?: EngineFootprint | undefined;
  readonly budgetBytes: number;
}

export interface LoadAnswer {
  readonly load: ResolvedLoad;
  /** What was made smaller than one would expect, and why. */
  readonly reasons: readonly string[];
}

/** Throws `bad_request` for numbers that cannot be meant. */
export function checkLoadOptions(load: LoadOptions): void {
  for (const field of ["contextTokens", "parallel", "threads", "batchTokens"] as const) {
    const value = load[field];
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) continue;
    const message = `${field} is ${value}; it must be a whole number of at least 1.`;
    throw new HearthError("bad_request", message, { details: { field } });
  }
}

/** What is asked for before anything is known of the machine: request before settings. */
export function wantedLoad({ model, requested, settings }: Request): LoadOptions {
  return {
    device: settings.device,
    ...settingOptions(settings),
    ...requested,
    ...modelAdapters({ model, requested }),
  };
}

/** Request before settings before defaults; what nobody asked for shrinks until it fits into the budget. */
export function resolveLoad(question: LoadQuestion): LoadAnswer {
  const { model, info, requested, settings } = question;
  const reasons: string[] = [];
  const wantedContext = requested.contextTokens ?? settings.context;
  const contextTokens = trainedContext(info, wantedContext ?? ownContext(model) ?? defaultContextTokens);
  if (wantedContext !== undefined && contextTokens < wantedContext) {
    reasons.push(`context is ${contextTokens} tokens, not ${wantedContext}: the model was trained for no more`);
  }
  const wantedParallel = requested.parallel ?? settings.parallel;
  const load: ResolvedLoad = {
    ...settingOptions(settings),
    ...requested,
    ...modelAdapters(question),
    device: question.device,
    contextTokens,
    parallel: wantedParallel ?? defaultParallel,
  };
  const shrunk = shrink(question, load, {
    context: wantedContext === undefined,
    parallel: wantedParallel === undefined,
  });
  return { load: shrunk, reasons: [...reasons, ...shrinkReasons(load, shrunk)] };
}

/** The context that travels with a model (Modelfile parameter `num_ctx`), for those who ask for none. */
function ownContext({ overrides }: InstalledModel): number | undefined {
  const tokens = overrides?.parameters?.["num_ctx"];
  return typeof tokens === "number" && Number.isSafeInteger(tokens) && tokens >= 1 ? tokens : undefined;
}

/** 0 means that the header does not say. */
function trainedContext(info: ModelInfo, wanted: number): number {
  return info.trainContextTokens > 0 ? Math.min(info.trainContextTokens, wanted) : wanted;
}

function settingOptions(settings: LoadSettings): LoadOptions {
  const { engine, threads, kvTypeK, kvTypeV, flashAttention, gpuLayers, speculation } = settings;
  return {
    ...(engine === "auto" ? {} : { engine }),
    ...(threads === undefined ? {} : { threads }),
    ...(kvTypeK === undefined ? {} : { kvTypeK }),
    ...(kvTypeV === undefined ? {} : { kvTypeV }),
    ...(flashAttention === "auto" ? {} : { flashAttention: flashAttention === "on" }),
    ...(gpuLayers === undefined ? {} : { gpuLayers: parseGpuLayers(gpuLayers) }),
    ...(speculation === "auto" ? {} : { speculation }),
  };
}

function parseGpuLayers(text: string): number | "auto" | "max" {
  if (text === "auto" || text === "max") return text;
  const layers = Number(text);
  if (text !== "" && Number.isSafeInteger(layers) && layers >= 0) return layers;
  throw new HearthError("usage", `--gpu-layers is "${text}"; it must be a whole number, auto or max.`);
}

function modelAdapters({ model, requested }: Pick<LoadQuestion, "model" | "requested">): Pick<LoadOptions, "adapters"> {
  if (requested.adapters !== undefined) return { adapters: requested.adapters };
  const adapters = model.files.filter(({ role }) => role === "adapter").map(({ path }) => ({ path }));
  return adapters.length === 0 ? {} : { adapters };
}

/** Bytes of those adapters that are files of the model. */
export function adapterBytes(model: InstalledModel, load: LoadOptions): number {
  const paths = new Set(load.adapters?.map(({ path }) => path));
  return model.files.reduce((sum, file) => (paths.has(file.path) ? sum + file.sizeBytes : sum), 0);
}

/** First the context down to what is useful, then parallel down to 4, then the context as far as it goes. */
function shrink(
  question: LoadQuestion,
  load: ResolvedLoad,
  free: { context: boolean; parallel: boolean },
): ResolvedLoad {
  const { model, budgetBytes } = question;
  const sizes: ModelSizes = { ...question.info, footprint: question.footprint };
  const adapters = adapterBytes(model, load);
  const fits = (candidate: ResolvedLoad): boolean =>
    estimateMemory(sizes, candidate, adapters).totalBytes <= budgetBytes;
  if (fits(load)) return load;
  const useful = Math.min(load.contextTokens, usefulContextTokens);
  const floor = free.parallel ? Math.min(load.parallel, leastParallel) : load.parallel;
  for (let parallel = load.parallel; parallel >= floor; parallel--) {
    const candidate = { ...load, parallel };
    if (fits(candidate)) return candidate;
    const contextTokens = free.context ? fittingContext(sizes, candidate, budgetBytes, adapters) : 0;
    if (contextTokens >= useful) return { ...candidate, contextTokens };
  }
  const last = { ...load, parallel: floor };
  const contextTokens = free.context ? fittingContext(sizes, last, budgetBytes, adapters) : 0;
  if (contextTokens >= leastContextTokens) return { ...last, contextTokens };
  // Nothing fits; the smallest that we would have taken is what the refusal should talk about.
  return free.context ? { ...last, contextTokens: Math.min(load.contextTokens, leastContextTokens) } : last;
}

function shrinkReasons(wanted: ResolvedLoad, got: ResolvedLoad): string[] {
  const reasons: string[] = [];
  if (got.contextTokens < wanted.contextTokens) {
    reasons.push(`context is ${got.contextTokens} tokens, not ${wanted.contextTokens}: memory is short`);
  }
  if (got.parallel < wanted.parallel) {
    reasons.push(`${got.parallel} sequences run at once, not ${wanted.parallel}: memory is short`);
  }
  return reasons;
}

export interface Serving {
  readonly model: InstalledModel;
  readonly load: ResolvedLoad;
  readonly choice: { readonly engine: EngineName };
  /** What the engine really gave, once it is loaded. */
  readonly loaded?: Pick<LoadedModel, "engine" | "contextTokens" | "parallel" | "device"> | undefined;
}

/** Whether a model loaded like this serves the request: options that it leaves out are taken as they are. */
export function serves(serving: Serving, model: InstalledModel, info: ModelInfo, requested: LoadOptions): boolean {
  const { load, loaded } = serving;
  if (serving.model.id !== model.id) return false;
  // An engine may have given less than was asked for; asking again would not change that.
  const contextTokens = Math.max(load.contextTokens, loaded?.contextTokens ?? 0);
  const parallel = Math.max(load.parallel, loaded?.parallel ?? 0);
  if (requested.contextTokens !== undefined && trainedContext(info, requested.contextTokens) > contextTokens)
    return false;
  if (requested.parallel !== undefined && requested.parallel > parallel) return false;
  if (!sameAdapters(load, modelAdapters({ model, requested }))) return false;
  return exactOptions.every((field) => {
    const wanted = requested[field];
    if (wanted === undefined || wanted === "auto" || wanted === load[field]) return true;
    if (field === "engine") return wanted === (loaded ?? serving.choice).engine;
    if (field === "device") return wanted === loaded?.device;
    return (field === "kvTypeK" || field === "kvTypeV") && load[field] === undefined && wanted === "f16";
  });
}

const exactOptions = [
  "engine",
  "device",
  "threads",
  "batchTokens",
  "gpuLayers",
  "flashAttention",
  "kvTypeK",
  "kvTypeV",
  "mmap",
  "mlock",
  "speculation",
] as const;

/** Adapters change the answers, so leaving them out means none but the model's own. */
function sameAdapters(a: Pick<LoadOptions, "adapters">, b: Pick<LoadOptions, "adapters">): boolean {
  const left = a.adapters ?? [];
  const right = b.adapters ?? [];
  if (left.length !== right.length) return false;
  return left.every(
    ({ path, scale }, index) => path === right[index]?.path && (scale ?? 1) === (right[index]?.scale ?? 1),
  );
}
