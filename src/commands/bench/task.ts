import type { TaskBenchOptions } from "../../bench/index.ts";
import { HearthError } from "../../error.ts";
import type { Capability, InstalledModel } from "../../spec/model.ts";
import { raceAbort } from "../../util/abort.ts";
import type { Context } from "../command.ts";
import type { BenchFlags } from "./flags.ts";

type Given = Omit<Context, "flags"> & { readonly flags: BenchFlags };

/** `hearth bench MODEL` of a model that generates no text: its task is measured. */
export async function benchTask(context: Given, model: InstalledModel): Promise<void> {
  const { flags, json, services, settings, signal, status } = context;
  const { capabilities } = await (await context.hearth()).library.inspect(model);
  checkTaskFlags(flags, model.name, capabilities);
  const options: TaskBenchOptions = {
    hearth: await context.hearth(),
    model: model.name,
    signal,
    onProgress(line) {
      status.note(line);
    },
    ...(flags.vs !== undefined && {
      vs: "raw",
      // What is no ONNX model is refused before anything is installed for it.
      ...(model.format === "onnx" && {
        rawModule: await services.rawModule({ settings, signal, onNotice: (line) => status.note(line) }),
      }),
    }),
    ...(flags.clients && { clients: flags.clients }),
    ...(flags.runs !== undefined && { runs: flags.runs }),
    ...(flags["prompt-tokens"] !== undefined && { textTokens: flags["prompt-tokens"] }),
  };
  const report = await raceAbort(services.runTaskBench(options), signal);
  if (json) context.writeJson(report);
  else context.io.stdout.write(`${await services.formatTaskReport(report)}\n`);
}

const ofText = ["tokens", "prompts", "profile"] as const;

/** Throws `usage` for what is asked of language models alone. */
function checkTaskFlags(flags: BenchFlags, model: string, capabilities: readonly Capability[]): void {
  const hasLength = flags["prompt-tokens"] !== undefined && !capabilities.includes("embed");
  const wrong = hasLength ? "prompt-tokens" : ofText.find((name) => flags[name] !== undefined && flags[name] !== false);
  const flag = wrong === undefined ? (flags.vs === "llama.cpp" ? "vs llama.cpp" : undefined) : wrong;
  if (flag === undefined) return;
  throw new HearthError("usage", `--${flag} is for models that generate text; ${model} generates none.`, {
    hint: "Of such a model --clients and --runs count, of one that embeds --prompt-tokens, and of an ONNX model --vs raw.",
  });
}

/** Throws `usage` where the raw ONNX Runtime is to be measured with a language model or a server. */
export function peerOfText({ vs }: BenchFlags, what: string): "llama.cpp" | undefined {
  if (vs !== "raw") return vs;
  throw new HearthError("usage", `--vs raw is for ONNX models that generate no text, not for ${what}.`, {
    hint: "A language model is compared with --vs llama.cpp.",
  });
}
