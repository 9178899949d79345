/** Which layers, heads and channels go, from what a text caused. */
import { HearthError } from "../../error.ts";
import { readFloats } from "../../formats/checkpoint/cast.ts";
import type { MatrixRows } from "../../formats/checkpoint/scheme.ts";
import { printable } from "../../formats/gguf/malformed.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import type { ImportanceEntry } from "../imatrix/contract.ts";
import type { WeightData } from "../source.ts";
import type { Activations } from "./contract.ts";
import type { ResolvedCuts } from "./resolve.ts";
import { forEachPiece, tensorRows } from "./rows.ts";
import { indicesOfSmallest } from "./smallest.ts";

/** What stays. All lists ascend and count as the source does. */
export interface Kept {
  /** Undefined: all. */
  readonly layers: readonly number[] | undefined;
  /** For each layer that stays. */
  readonly groups?: ReadonlyMap<number, readonly number[]>;
  readonly channels?: ReadonlyMap<number, readonly number[]>;
}

export interface ChooseSource {
  readonly file: GgufFile;
  readonly data: WeightData;
  readonly activations: Activations | undefined;
}

/**
 * Layers by their influence, 1 − cos(input, output) (Men et al. 2024, arXiv 2403.03853); heads and channels by how much they
 * can add to the residual stream: Σ ‖x_j‖² ‖w_j‖² over their columns of the matrix behind them, after Wanda.
 */
export function chooseKept(source: ChooseSource, cuts: ResolvedCuts): Kept {
  const { model, layers, groups, channels } = cuts;
  const kept = layers && keepLayers(source, layers, model?.layers.length ?? 0);
  const staying = kept ?? Array.from({ length: model?.layers.length ?? 0 }, (_, layer) => layer);
  return {
    layers: kept,
    ...(groups && { groups: keepIn(source, staying, { ...groups, matrix: "attn_output" }) }),
    ...(channels && { channels: keepIn(source, staying, { ...channels, matrix: "ffn_down" }) }),
  };
}

function keepLayers(
  { activations }: ChooseSource,
  { count, drop }: NonNullable<ResolvedCuts["layers"]>,
  total: number,
): readonly number[] {
  const gone = new Set(drop ?? indicesOfSmallest(influenceOf(activations, total), count));
  return Array.from({ length: total }, (_, layer) => layer).filter((layer) => !gone.has(layer));
}

function influenceOf(activations: Activations | undefined, total: number): readonly number[] {
  const cosines = activations?.cosines ?? [];
  if (cosines.length === total) return cosines.map((cosine) => 1 - cosine);
  throw new HearthError("bad_request", `${cosines.length} layers were measured; the model has ${total}.`, {
    hint: "Measure the model that is pruned.",
  });
}

interface Units {
  readonly total: number;
  readonly keep: number;
  /** Its columns are as many units of the same width. */
  readonly matrix: string;
}

function keepIn(source: ChooseSource, layers: readonly number[], units: Units) {
  return new Map(layers.map((layer) => [layer, bestUnits(source, `blk.${layer}.${units.matrix}.weight`, units)]));
}

function bestUnits({ file, data, activations }: ChooseSource, name: string, { total, keep }: Units): readonly number[] {
  const tensor = file.tensors.find((each) => each.name === name);
  if (!tensor) throw new HearthError("model_unsupported", `${file.name} has no ${printable(name)}.`);
  const scores = columnScores(tensorRows(tensor, data), requireEntry(activations, name));
  const width = scores.length / total;
  const sums = Float64Array.from({ length: total }, (_, unit) =>
    scores.subarray(unit * width, (unit + 1) * width).reduce((sum, score) => sum + score, 0),
  );
  const gone = new Set(indicesOfSmallest(sums, total - keep));
  return Array.from({ length: total }, (_, unit) => unit).filter((unit) => !gone.has(unit));
}

/** What was gathered for a matrix. Throws `bad_request` where there is nothing: it was another model's. */
export function requireEntry(activations: Activations | undefined, name: string): ImportanceEntry {
  const entry = activations?.file.entries.get(name);
  if (entry) return entry;
  throw new HearthError("bad_request", `Nothing was measured of ${printable(name)}.`, {
    hint: "Give a text that the model computes first: --calibration FILE.",
  });
}

/** For each column the squares of its weights times those of what enters it. */
function columnScores(rows: MatrixRows, { sums }: ImportanceEntry): Float64Array {
  const scores = new Float64Array(rows.k);
  forEachPiece(rows, (first, count) => {
    const weights = readFloats(rows, first, count);
    for (let i = 0; i < weights.length; i++) scores[i % rows.k]! += weights[i]! ** 2;
  });
  return scores.map((score, column) => score * (sums[column] ?? 0));
}
