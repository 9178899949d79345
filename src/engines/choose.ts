/** Which engine runs a model: the first of its format that does not say why it cannot. */
import { HearthError } from "../error.ts";
import type { Device, EngineFootprint, EngineName } from "../spec/engine.ts";
import type { Format, ModelInfo } from "../spec/model.ts";
import type { EngineChoice, EngineQuestion } from "./contract.ts";
import { isRefusal } from "./fallback.ts";
import { devicesToTry } from "./libraries.ts";
import { refuseLlama } from "./llama/refuse.ts";

export interface ChooseOptions {
  /** Whether an engine for this GPU is installed. */
  readonly hasGpuEngine: (device: Exclude<Device, "auto" | "cpu">) => boolean;
  /** Reads the header; throws typed errors where flint does not run the model. */
  readonly inspectFlint: (question: EngineQuestion) => Promise<EngineFootprint>;
}

/** Format → engines, the best first. */
const table: Readonly<Record<Format, readonly EngineName[]>> = {
  gguf: ["flint", "llama"],
  safetensors: ["flint"],
  onnx: ["onnx"],
  tflite: ["tflite"],
};

export async function chooseEngine(question: EngineQuestion, options: ChooseOptions): Promise<EngineChoice> {
  const { info, load } = question;
  const asked = load.engine ?? "auto";
  const forced = asked !== "auto";
  const candidate: Candidate = { question, options, place: findPlace(load.device ?? "auto", options), forced };
  const refusals: HearthError[] = [];
  for (const engine of forced ? [asked] : enginesFor(info)) {
    const found = await attempt(engine, candidate);
    if (found instanceof HearthError) refusals.push(found);
    else {
      const because = [...refusals.map(notFlint), ...blind(found, candidate)];
      return { ...found, reasons: [runs(engine, candidate), ...because, placeReason(found, candidate)] };
    }
  }
  throw refusals.at(-1) ?? new HearthError("internal", `No engine is listed for ${info.format}.`);
}

/** Models of speech that are laid out for sherpa-onnx are ONNX files too, but nothing that ONNX Runtime alone makes sense of. */
function enginesFor({ format, metadata }: ModelInfo): readonly EngineName[] {
  return format === "onnx" && metadata["layout"] === "sherpa-onnx" ? ["speech"] : table[format];
}

/** Where a model can run. */
interface Place {
  readonly asked: Device;
  /** GPUs that are tried before the CPU. */
  readonly gpus: readonly Device[];
  readonly reason: string;
}

interface Candidate {
  readonly question: EngineQuestion;
  readonly options: ChooseOptions;
  readonly place: Place;
  /** One engine was asked for by name. */
  readonly forced: boolean;
}

type Attempt = Omit<EngineChoice, "reasons">;

async function attempt(engine: EngineName, candidate: Candidate): Promise<Attempt | HearthError> {
  switch (engine) {
    case "flint":
      return await tryFlint(candidate);
    case "llama":
      return tryLlama(candidate);
    case "onnx":
      return await tryOnnx(candidate);
    case "speech":
      return await trySpeech(candidate);
    case "tflite":
      return await tryTflite(candidate);
    default: {
      const { format, architecture } = candidate.question.info;
      return new HearthError(
        "model_unsupported",
        `Models of format ${format} (this one: ${architecture}) run on the engine ${engine}, which is not part of this version.`,
        { hint: "Look for the model as GGUF.", details: { format, architecture, engine } },
      );
    }
  }
}

/** What `auto` comes to: a GPU where there is an installed engine for one, else the CPU. */
function findPlace(asked: Device, { hasGpuEngine }: ChooseOptions): Place {
  if (asked !== "auto") return { asked, gpus: [], reason: `the device ${asked} was asked for` };
  const gpus = devicesToTry("auto").filter((device) => device !== "cpu" && hasGpuEngine(device));
  if (gpus.length > 0) return { asked, gpus, reason: `${gpus.join(", ")} is tried first, then the CPU` };
  const packs = process.platform === "darwin" ? "llama, which brings Metal" : "llama-cuda, llama-vulkan";
  return { asked, gpus, reason: `it runs on the CPU: no engine pack for a GPU is installed (${packs})` };
}

async function tryFlint({ question, options, place, forced }: Candidate): Promise<Attempt | HearthError> {
  const { info, load } = question;
  // Where no other engine reads the file, or sees pictures, the GPU stays idle.
  if (place.gpus.length > 0 && !forced && !load.projector && refuseLlama(info, place.asked) === undefined)
    return unsupported("flint", question, `flint computes on the CPU`);
  const { refuseFlint, refuseFlintOptions } = await import("./flint/refuse.ts");
  const refusal = refuseFlint(info, place.asked);
  if (refusal !== undefined) return unsupported("flint", question, refusal);
  const option = refuseFlintOptions(load);
  if (option) {
    const details = { option: option.option, engine: "flint" };
    return new HearthError("unsupported_option", `${option.reason}.`, { details });
  }
  try {
    const footprint = await options.inspectFlint(question);
    const draftFootprint = await inspectDraft(question, options);
    return { engine: "flint", device: "cpu", footprint, ...(draftFootprint && { draftFootprint }) };
  } catch (error) {
    if (isRefusal(error)) return error;
    throw error;
  }
}

/** Throws what flint says against the draft model; undefined: there is none. */
async function inspectDraft(question: EngineQuestion, options: ChooseOptions): Promise<EngineFootprint | undefined> {
  const { draft, load } = question;
  if (!draft) return undefined;
  const { refuseFlint } = await import("./flint/refuse.ts");
  const refusal = refuseFlint(draft.info, "cpu");
  if (refusal !== undefined)
    throw unsupported("flint", { ...draft, load }, `its draft ${draft.model.name}: ${refusal}`);
  try {
    const { projector: _, ...rest } = load;
    // It guesses at text alone.
    const files = draft.model.files.filter(({ role }) => role !== "projector");
    // Asked for by name: what becomes of the draft alone is nothing to tell people.
    return await options.inspectFlint({
      ...draft,
      model: { ...draft.model, files },
      load: { ...rest, engine: "flint" },
    });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const { code, message, hint, details } = error;
    throw new HearthError(code, `its draft ${draft.model.name}: ${message}`, { hint, details, cause: error });
  }
}

function tryLlama({ question, place }: Candidate): Attempt | HearthError {
  const refusal = refuseLlama(question.info, place.asked);
  if (refusal !== undefined) return unsupported("llama", question, refusal);
  if (question.load.projector) {
    const details = { option: "projector", engine: "llama" };
    return new HearthError("unsupported_option", "The llama engine takes no projectors: it reads text alone.", {
      details,
      hint: "Leave the projector out, or use flint (--engine flint).",
    });
  }
  return { engine: "llama", device: place.asked === "auto" && place.gpus.length === 0 ? "cpu" : place.asked };
}

async function tryOnnx({ question, place }: Candidate): Promise<Attempt | HearthError> {
  const { onnxFootprint, refuseOnnx } = await import("./onnx/refuse.ts");
  const refusal = refuseOnnx(question.info, place.asked);
  if (refusal !== undefined) return unsupported("onnx", question, refusal);
  return { engine: "onnx", device: place.asked, footprint: onnxFootprint(question.info) };
}

async function trySpeech({ question, place }: Candidate): Promise<Attempt | HearthError> {
  const { refuseSpeech, speechFootprint } = await import("./speech/refuse.ts");
  const refusal = refuseSpeech(question.info, place.asked);
  if (refusal !== undefined) return unsupported("speech", question, refusal);
  return { engine: "speech", device: "cpu", footprint: speechFootprint(question.info) };
}

async function tryTflite({ question, place }: Candidate): Promise<Attempt | HearthError> {
  const { refuseTflite } = await import("./tflite/refuse.ts");
  const refusal = refuseTflite(question.info, place.asked);
  if (refusal !== undefined) return unsupported("tflite", question, refusal);
  return { engine: "tflite", device: place.asked === "auto" ? "cpu" : place.asked };
}

function runs(engine: EngineName, { question, forced }: Candidate): string {
  const { format, architecture } = question.info;
  return `${engine} runs ${format} files of the architecture ${architecture}${forced ? ", and was asked for" : ""}`;
}

function notFlint({ message }: HearthError): string {
  return `not flint: ${message.replace(/\.$/, "")}`;
}

/** A model with a projector would see. */
function blind({ engine }: Attempt, { question, place }: Candidate): string[] {
  if (engine !== "llama" || !question.model.files.some(({ role }) => role === "projector")) return [];
  const how = place.gpus.length > 0 ? " (--engine flint)" : "";
  return [`it takes text alone: pictures need flint${how}`];
}

function placeReason({ engine, device }: Attempt, { place }: Candidate): string {
  return device === "cpu" && place.gpus.length > 0 ? `${engine} computes on the CPU` : place.reason;
}

function unsupported(engine: EngineName, { info }: EngineQuestion, refusal: string): HearthError {
  const { format, architecture } = info;
  return new HearthError("model_unsupported", `${refusal.replace(/\.$/, "")}.`, {
    hint: "Another quantization does not help; a newer engine may: `hearth engines update`.",
    details: { format, architecture, engine },
  });
}
