/** What is to be taken out, in numbers, and everything about it that can be wrong before a text is computed. */
import type { Hyperparameters } from "../../engines/flint/architectures/hyperparameters.ts";
import { architectures, findArchitecture } from "../../engines/flint/architectures/table.ts";
import { checkModel } from "../../engines/flint/check.ts";
import { HearthError } from "../../error.ts";
import { stringOf } from "../../formats/gguf/check.ts";
import { printable } from "../../formats/gguf/malformed.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import { describeGguf } from "../../models/describe.ts";
import type { Amount, Cuts } from "./contract.ts";
import { checkFloats, checkZeros } from "./matrices.ts";
import { isMeasured } from "./measure.ts";

export interface ResolvedCuts {
  readonly architecture: string;
  /** Undefined where only weights become zero: any architecture will do. */
  readonly model: Hyperparameters | undefined;
  /** `drop`: those that were named. */
  readonly layers?: { readonly count: number; readonly drop?: readonly number[] } | undefined;
  /** Groups of heads that share keys. */
  readonly groups?: Groups;
  readonly channels?: Counts;
  /** Whether a text must be computed. */
  readonly measures: boolean;
}

interface Groups extends Counts {
  /** Of each group. */
  readonly heads: number;
}

export interface Counts {
  readonly total: number;
  readonly keep: number;
}

/** Throws `bad_request` for cuts that leave nothing or that the weights do not allow, and `model_unsupported`. */
export function resolveCuts(file: GgufFile, cuts: Cuts): ResolvedCuts {
  const { layers, heads, channels, zeros } = cuts;
  const isCut = layers !== undefined || heads !== undefined || channels !== undefined;
  if (!isCut && !zeros) {
    throw new HearthError("bad_request", `Nothing is to be taken out of ${file.name}.`, {
      hint: "Say what: --layers 25%, --heads 25%, --ffn 25%, --sparsity 0.5 or --pattern 2:4.",
    });
  }
  const { architecture } = describeGguf(file);
  const model = isCut ? modelOf(file) : undefined;
  if (zeros) checkZeros(file, zeros);
  if (heads !== undefined || channels !== undefined) checkFloats(file);
  return {
    architecture,
    model,
    layers: layers && model && resolveLayers(layers, model.layers.length),
    ...(heads && model && { groups: resolveGroups(file, model, heads) }),
    ...(channels && model && { channels: resolveChannels(file, model, channels) }),
    measures: isMeasured(cuts),
  };
}

function modelOf(file: GgufFile): Hyperparameters {
  const name = stringOf(file, "general.architecture") ?? "";
  if (findArchitecture(name)) return checkModel(file).hyperparameters;
  throw new HearthError(
    "model_unsupported",
    `${file.name} has the architecture "${printable(name)}", which hearth cannot take apart.`,
    {
      hint: `Its weights can become zero: --sparsity 0.5 --method magnitude. Layers, heads and channels are taken from ${[...architectures.keys()].join(", ")}.`,
      details: { field: "general.architecture" },
    },
  );
}

/** At least one and not all. */
function countOf(amount: Amount, total: number, what: string): number {
  if ("part" in amount) {
    if (amount.part > 0 && amount.part < 1) return Math.min(total - 1, Math.max(1, Math.round(total * amount.part)));
    throw outside(`${amount.part * 100} %`, total, what);
  }
  const { count } = amount;
  if (Number.isInteger(count) && count >= 1 && count < total) return count;
  throw outside(String(count), total, what);
}

function outside(asked: string, total: number, what: string): HearthError {
  return new HearthError("bad_request", `${asked} of the ${total} ${what} cannot be taken out.`, {
    hint: total > 1 ? `Take out 1 to ${total - 1}.` : "There is nothing that can be left out.",
    details: { total },
  });
}

function resolveLayers(layers: NonNullable<Cuts["layers"]>, total: number): ResolvedCuts["layers"] {
  if (!("drop" in layers)) return { count: countOf(layers, total, "layers") };
  const drop = [...new Set(layers.drop)].toSorted((a, b) => a - b);
  const wrong = drop.find((layer) => !Number.isInteger(layer) || layer < 0 || layer >= total);
  if (wrong !== undefined) {
    throw new HearthError("bad_request", `There is no layer ${wrong}: the model has ${total}, counted from 0.`, {
      hint: `Name layers from 0 to ${total - 1}.`,
      details: { total },
    });
  }
  return { count: countOf({ count: drop.length }, total, "layers"), drop };
}

/** Elsewhere llama.cpp or transformers take all heads together to be as wide as the model. */
const freeHeads = /^(?:llama|smollm3|qwen3|qwen3moe|gemma|gemma2|gemma3|granite|granitemoe)$/;

function resolveGroups(file: GgufFile, model: Hyperparameters, amount: Amount): Groups {
  if (!freeHeads.test(model.architecture)) {
    throw new HearthError(
      "model_unsupported",
      `Heads cannot be taken out of ${file.name}: other engines want all of "${model.architecture}".`,
      { hint: "Take out layers (--layers 25%) or channels (--ffn 25%)." },
    );
  }
  const { heads, keyHeads } = alike(file, model, "heads");
  const each = heads / keyHeads;
  if ("count" in amount && amount.count % each !== 0) {
    throw new HearthError("bad_request", `${amount.count} heads are no whole groups: each ${each} share their keys.`, {
      hint: `Take out a multiple of ${each}, fewer than ${heads}.`,
    });
  }
  const groups = "count" in amount ? { count: amount.count / each } : amount;
  const what = each === 1 ? "heads of a layer" : `groups of ${each} heads`;
  return { total: keyHeads, keep: keyHeads - countOf(groups, keyHeads, what), heads: each };
}

/** Blocks of quantized types: rows that are a whole number of them can be quantized later. */
function stepOf(total: number): number {
  if (total % 256 === 0 && total >= 4096) return 256;
  return total % 32 === 0 && total >= 256 ? 32 : 4;
}

function resolveChannels(file: GgufFile, model: Hyperparameters, amount: Amount): Counts {
  if (model.experts) {
    throw new HearthError("model_unsupported", `${file.name} has experts; their channels cannot be taken out.`, {
      hint: "Take out layers (--layers 25%), or let weights become zero (--pattern 2:4).",
    });
  }
  const { feedForward: total } = alike(file, model, "feedForward");
  const keep = total - countOf(amount, total, "channels of a layer");
  if ("count" in amount) return { total, keep };
  const step = stepOf(total);
  return { total, keep: Math.min(total - 1, Math.max(step, Math.round(keep / step) * step)) };
}

/** The figures of the first layer, where those of all are the same. */
function alike(file: GgufFile, { layers }: Hyperparameters, what: "heads" | "feedForward") {
  const [first] = layers;
  if (!first) throw new RangeError("no layers");
  const other = layers.findIndex((layer) => layer[what] !== first[what] || layer.keyHeads !== first.keyHeads);
  if (other < 0) return first;
  const name = what === "heads" ? "attention heads" : "channels";
  throw new HearthError(
    "model_unsupported",
    `${file.name} has other numbers of ${name} in layer ${other} than in layer 0.`,
    { hint: "Take out layers (--layers 25%), or let weights become zero (--pattern 2:4)." },
  );
}
