import type { Plan } from "../runtime/contract.ts";
import type { Output } from "../terminal/io.ts";
import { style } from "../terminal/style.ts";
import { formatPairs } from "../terminal/table.ts";
import { formatBytes } from "../util/format.ts";
import { defineCommand, loadSettingNames, type Command } from "./command.ts";

export const plan: Command = defineCommand({
  name: "plan",
  text: "Says how a model would run here: engine and reasons, memory, context, and whether it fits; if not, exit code 1. Loads nothing.",
  arguments: [{ name: "MODEL", text: "an installed model", required: true }],
  settings: loadSettingNames,
  examples: ["hearth plan tinyllama", "hearth plan tinyllama --context 8192 --parallel 4"],
  async run(context) {
    const { runtime } = await context.hearth();
    const found = await runtime.plan(context.args[0] ?? "");
    const { info, choice } = found;
    // On a GPU other memory is read; what was measured is that of the CPU.
    const onCpu = choice.device === "cpu" || choice.device === "auto";
    const bandwidth = onCpu && generates(info) ? await context.services.readBandwidth(context.signal) : undefined;
    const rate = bandwidth === undefined ? undefined : bandwidth / (choice.footprint?.weightBytes ?? info.weightBytes);
    if (context.json) context.writeJson({ ...toJson(found), tokensPerSecond: rate });
    else context.io.stdout.write(toText(context.io.stdout, found, rate));
    return found.fits ? 0 : 1;
  },
});

function toJson(found: Plan): object {
  const { model, info, choice, load, estimate, availableBytes, budgetBytes, fits, evicts, putsToSleep } = found;
  return {
    model: model.name,
    architecture: info.architecture,
    quantization: info.quantization,
    parameterCount: info.parameterCount,
    layers: info.blockCount,
    ...choice,
    load,
    estimate,
    availableBytes,
    budgetBytes,
    fits,
    evicts,
    putsToSleep,
  };
}

function toText(stream: Output, found: Plan, rate: number | undefined): string {
  const { model, info, choice, load, estimate, availableBytes, budgetBytes, fits, evicts } = found;
  const { weightBytes, kvBytes, computeBytes, totalBytes } = estimate;
  const verdict = fits ? style(stream, "green", "fits") : style(stream, "red", "does not fit");
  const pairs = formatPairs(stream, [
    ["engine", `${choice.engine} on ${choice.device}`],
    ...choice.reasons.map((reason) => ["because", reason] as const),
    ["weights", formatBytes(weightBytes)],
    ["KV cache", kvBytes === 0 ? undefined : `${formatBytes(kvBytes)} for ${cacheText(found)}`],
    ["computing", formatBytes(computeBytes)],
    ["needs", formatBytes(totalBytes)],
    ["available", `${formatBytes(availableBytes)} of a budget of ${formatBytes(budgetBytes)}`],
    ["context", contextText(found)],
    ["layers", layersText(found)],
    ["draft", load.draft?.path],
    ["speculation", load.speculation],
    ["unloads first", evicts.join(", ")],
    ["puts to sleep first", found.putsToSleep.join(", ")],
    [
      "speed",
      rate === undefined ? undefined : `at most ${rate.toFixed(1)} tokens/s for one sequence, by memory bandwidth`,
    ],
  ]);
  const advice = fits
    ? ""
    : !generates(info)
      ? "Try a smaller model, or unload others with `hearth stop`.\n"
      : "Try a smaller quantization, --context or --parallel, or a smaller --kv-type-k and --kv-type-v.\n";
  return `${model.name} ${verdict}.\n${pairs}${advice}`;
}

function generates({ capabilities }: Plan["info"]): boolean {
  return capabilities.includes("generate");
}

/** Models that are no language models have neither context nor layers to speak of. */
function contextText({ info, load }: Plan): string | undefined {
  if (info.trainContextTokens === 0) return undefined;
  return `${load.contextTokens} tokens; the model was trained for ${info.trainContextTokens}`;
}

function layersText({ info, load }: Plan): string | undefined {
  if (info.blockCount === 0) return undefined;
  return `${info.blockCount}${load.gpuLayers === undefined ? "" : `, on the GPU: ${load.gpuLayers}`}`;
}

function cacheText({ load: { parallel, contextTokens, cacheTokens } }: Plan): string {
  if (cacheTokens === undefined) return `${parallel} sequences of ${contextTokens} tokens`;
  return `${cacheTokens} tokens in all, of ${parallel} sequences of at most ${contextTokens}`;
}
