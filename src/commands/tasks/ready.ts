/** Which model a task runs on when nobody names one. */
import { HearthError } from "../../error.ts";
import type { Settings } from "../../config/settings.ts";
import { loadCatalog } from "../../models/catalog.ts";
import { parseText } from "../../config/values.ts";
import type { TaskName, Tasks } from "../../spec/perform.ts";
import type { ValueRow } from "../command.ts";
import { loadSettingNames, pullSettingNames, type Context } from "../command.ts";
import { ensureModel } from "../chat/model.ts";

/** Settings of commands whose models are ONNX, TFLite or of speech: those of language models mean nothing to them. */
export const taskSettings: readonly (keyof Settings)[] = ["engine", "device", "threads", "memory", ...pullSettingNames];

/** Settings of commands that run language models too. */
export const textTaskSettings: readonly (keyof Settings)[] = [...loadSettingNames, ...pullSettingNames];

type Named = TaskName | "embed" | "rerank";

/** The catalog's first model for each task that is small and fetched without an account. */
const preferred: Partial<Record<Named, string>> = {
  embed: "all-minilm",
  rerank: "jina-reranker-v1-tiny",
  classify: "mobilenet",
  detect: "ssd-mobilenet",
  segment: "deeplab",
  pose: "blazepose",
  ocr: "pp-ocr",
  "remove-background": "u2net",
  upscale: "real-esrgan",
  voice: "silero-vad",
};

/** The flag `--model`, with what it is by default. */
export function modelFlag(task: Named): ValueRow<string> {
  const model = preferred[task];
  const text = model === undefined ? "the model; no short name is known for this task" : `default: ${model}`;
  return { kind: "value", value: "MODEL", text, parse: parseText };
}

type Ready = Pick<Context, "hearth" | "settings" | "signal" | "status">;

/** The name of the model, which is on this machine then. */
export async function taskModel(context: Ready, task: Named, asked: string | undefined): Promise<string> {
  const name = asked ?? preferred[task];
  if (name !== undefined) return (await ensureModel(context, name)).name;
  const known = loadCatalog().filter(({ kind }) => kind === task);
  const hint =
    known.length > 0
      ? `For example ${known.map((entry) => entry.name).join(", ")}.`
      : "Give a folder or hf:OWNER/REPO with an ONNX model.";
  throw new HearthError("usage", "Say which model: --model MODEL.", { hint });
}

/** Runs a task, its progress on stderr. */
export async function runTask<Name extends TaskName>(
  context: Ready,
  task: Name,
  run: {
    readonly model: string | undefined;
    readonly input: Tasks[Name]["request"];
    readonly onPart?: (part: Tasks[Name]["part"]) => void;
  },
): Promise<Tasks[Name]["result"]> {
  const model = await taskModel(context, task, run.model);
  const hearth = await context.hearth();
  const { input, onPart } = run;
  const { output } = await hearth.perform({ task, model, input, signal: context.signal, ...(onPart && { onPart }) });
  return output;
}
