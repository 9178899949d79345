/** Which options a model is loaded with, and whether a loaded model serves a request that asks for others. */
import type { Settings } from "../config/settings.ts";
import { HearthError } from "../error.ts";
import type { Device, EngineFootprint, EngineName, LoadedModel, LoadOptions } from "../spec/engine.ts";
import type { InstalledModel, ModelInfo } from "../spec/model.ts";
import type { Draft } from "./draft.ts";
import { type ModelSizes, type ResolvedLoad, sequencesOf } from "./fit.ts";
import { shrink, shrinkReasons } from "./shrink.ts";

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
  | "quantize"
  | "cacheTokens"
  | "speculation"
  | "draft"
>;

const defaultContextTokens = 4096;
const defaultParallel = 8;

interface Request {
  readonly model: InstalledModel;
  readonly requested: LoadOptions;
  readonly settings: LoadSettings;
  readonly info: ModelInfo;
  /** The model that guesses for it, whoever asked for it. */
  readonly draft?: Draft | undefined;
}

export interface LoadQuestion extends Request {
  readonly device: Device;
  readonly footprint?: EngineFootprint | undefined;
  readonly draftFootprint?: EngineFootprint | undefined;
  readonly budgetBytes: number;
}

export interface LoadAnswer {
  readonly load: ResolvedLoad;
  /** What was made smaller than one would expect, and why. */
  readonly reasons: readonly string[];
}

/** Throws `bad_request` for numbers that cannot be meant. */
export function checkLoadOptions(load: LoadOptions): void {
  for (const field of ["contextTokens", "parallel", "threads", "batchTokens", "cacheTokens"] as const) {
    const value = load[field];
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) continue;
    const message = `${field} is ${value}; it must be a whole number of at least 1.`;
    throw new HearthError("bad_request", message, { details: { field } });
  }
}

/** What is asked for before anything is known of the machine: request before settings. Throws for what cannot be. */
export function wantedLoad(request: Request): LoadOptions {
  const { requested, settings } = request;
  resolveContext(request, askedSizes(requested, settings));
  return { device: settings.device, ...askedOptions(request), ...modelAdapters(request) };
}

/** Request before settings before defaults; what nobody asked for shrinks until it fits into the budget. */
export function resolveLoad(question: LoadQuestion): LoadAnswer {
  const { model, requested, settings, budgetBytes } = question;
  const asked = askedSizes(requested, settings);
  const { contextTokens, reasons } = resolveContext(question, asked);
  const load: ResolvedLoad = {
    ...askedOptions(question),
    ...modelAdapters(question),
    device: question.device,
    contextTokens,
    parallel: asked.parallel ?? defaultParallel,
  };
  const shrunk = shrink({
    sizes: sizesOf(question),
    load,
    adapterBytes: adapterBytes(model, load),
    budgetBytes,
    free: {
      context: asked.contextTokens === undefined,
      parallel: asked.parallel === undefined,
      cache: load.cacheTokens === undefined,
    },
  });
  const further = [...shrinkReasons(load, shrunk), ...cacheReasons(question, load), ...quantizeReasons(question)];
  return { load: shrunk, reasons: [...reasons, ...further] };
}

/** What the estimate of memory asks of a model. */
export function sizesOf({
  info,
  footprint,
  draft,
  draftFootprint,
}: Pick<LoadQuestion, "info" | "footprint" | "draft" | "draftFootprint">): ModelSizes {
  return { ...info, footprint, draft: draft && { ...draft.info, footprint: draftFootprint } };
}

/** All but the sizes, which depend on more. */
function askedOptions({ requested, settings, info, draft }: Request): LoadOptions {
  const cacheTokens = askedCache(requested, settings, info);
  checkQuantize(requested, info);
  checkFormatOptions(requested, info);
  return {
    ...settingOptions(settings),
    ...(settings.quantize !== "off" && isUnpacked(info) && { quantize: settings.quantize }),
    ...requested,
    ...(cacheTokens === undefined ? {} : { cacheTokens }),
    ...(draft ? { draft: { path: draft.path } } : {}),
  };
}

function askedSizes(requested: LoadOptions, settings: LoadSettings): Pick<LoadOptions, "contextTokens" | "parallel"> {
  const contextTokens = requested.contextTokens ?? settings.context;
  const parallel = requested.parallel ?? settings.parallel;
  return {
    ...(contextTokens === undefined ? {} : { contextTokens }),
    ...(parallel === undefined ? {} : { parallel }),
  };
}

/** Throws `unsupported_option` where a request asks for a cache that its model does not have. */
function askedCache(requested: LoadOptions, settings: LoadSettings, info: ModelInfo): number | undefined {
  if (info.capabilities.includes("generate")) return requested.cacheTokens ?? settings.cacheTokens;
  if (requested.cacheTokens === undefined) return undefined;
  const message = `A cache of ${requested.cacheTokens} tokens was asked for; a model that generates no text keeps none.`;
  throw new HearthError("unsupported_option", message, {
    hint: "Leave cacheTokens out.",
    details: { field: "cacheTokens" },
  });
}

/** Whether the weights stand in a format that quantization is not a part of. */
function isUnpacked({ format }: ModelInfo): boolean {
  return format === "safetensors";
}

/** Throws `unsupported_option` where a request wants weights rounded that are in a file of their own type. */
function checkQuantize({ quantize }: LoadOptions, info: ModelInfo): void {
  if (quantize === undefined || isUnpacked(info)) return;
  const message = `quantize is ${quantize}, but a ${info.format} model is loaded with the types that it has.`;
  throw new HearthError("unsupported_option", message, {
    hint: "Leave quantize out, or load the model's SafeTensors checkpoint.",
    details: { field: "quantize" },
  });
}

/** Options of engines that have a KV cache and layers of their own making. */
const generationOptions = [
  "gpuLayers",
  "flashAttention",
  "kvTypeK",
  "kvTypeV",
  "batchTokens",
  "adapters",
  "mmap",
  "mlock",
  "speculation",
  "draft",
  "projector",
] as const satisfies readonly (keyof LoadOptions)[];

/** Throws `unsupported_option` where a request asks ONNX Runtime, LiteRT or sherpa-onnx for what they do not have. */
function checkFormatOptions(requested: LoadOptions, { format }: ModelInfo): void {
  if (format !== "onnx" && format !== "tflite") return;
  for (const field of generationOptions) {
    const value = requested[field];
    if (value === undefined || value === false || value === "auto" || value === "off" || value === "f16") continue;
    if (Array.isArray(value) && value.length === 0) continue;
    throw new HearthError("unsupported_option", `The option ${field} means nothing to a model in ${format}.`, {
      hint: `Leave ${field} out.`,
      details: { field },
    });
  }
}

function quantizeReasons({ settings, info }: Request): string[] {
  if (settings.quantize === "off" || isUnpacked(info)) return [];
  return [`its weights stay ${info.quantization}: ${settings.quantize} is for SafeTensors models`];
}

/** Throws `bad_request` where the cache that was asked for is smaller than the context that was. */
function resolveContext(
  question: Request,
  { contextTokens: wanted }: Pick<LoadOptions, "contextTokens">,
): { readonly contextTokens: number; readonly reasons: readonly string[] } {
  const { model, info, requested, settings } = question;
  const contextTokens = trainedContext(info, wanted ?? ownContext(model) ?? defaultContextTokens);
  const cacheTokens = askedCache(requested, settings, info);
  if (cacheTokens !== undefined && cacheTokens < contextTokens) {
    if (wanted !== undefined) throw smallCache(cacheTokens, contextTokens);
    const reason = `context is ${cacheTokens} tokens, not ${contextTokens}: the cache holds no more`;
    return { contextTokens: cacheTokens, reasons: [reason] };
  }
  const cut = wanted !== undefined && contextTokens < wanted;
  const reason = `context is ${contextTokens} tokens, not ${wanted}: the model was trained for no more`;
  return { contextTokens, reasons: cut ? [reason] : [] };
}

function smallCache(cacheTokens: number, contextTokens: number): HearthError {
  return new HearthError(
    "bad_request",
    `A cache of ${cacheTokens} tokens does not hold a context of ${contextTokens}.`,
    {
      hint: "Choose a smaller --context, or larger --cache-tokens.",
      details: { field: "cacheTokens", cacheTokens, contextTokens },
    },
  );
}

/** Where each sequence has a place of its own, a cache of a certain size has so many of them. */
function cacheReasons({ footprint }: LoadQuestion, load: ResolvedLoad): string[] {
  const sequences = sequencesOf(load);
  if (footprint?.sharesCache || load.cacheTokens === undefined || sequences >= load.parallel) return [];
  return [`${sequences} sequences run at once, not ${load.parallel}: the cache holds ${load.cacheTokens} tokens`];
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
  return model.files.reduce((sum, { path, sizeBytes }) => (paths.has(path) ? sum + sizeBytes : sum), 0);
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
  if (requested.draft && requested.draft.path !== load.draft?.path) return false;
  if (requested.projector && requested.projector.path !== load.projector?.path) return false;
  const cacheTokens = load.cacheTokens ?? load.contextTokens * load.parallel;
  if (requested.cacheTokens !== undefined && requested.cacheTokens !== cacheTokens) return false;
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
  "quantize",
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
