/** Makes a smaller model by leaving parts of it out. */
import { dirname, resolve } from "node:path";
import type { GgufFile } from "../../formats/gguf/types.ts";
import { writePlain } from "../convert/to-checkpoint.ts";
import { writeVirtual } from "../convert/to-gguf.ts";
import { checkAbsent, checkRoom } from "../output.ts";
import { openData, openSource } from "../source.ts";
import type { WeightData, WeightSource } from "../source.ts";
import type { Pruned } from "./build.ts";
import { buildPruned } from "./build.ts";
import { chooseKept } from "./choose.ts";
import type { Kept } from "./choose.ts";
import type { Activations, PruneFacts, PruneOptions, PruneReport } from "./contract.ts";
import { changesKind, differenceIn } from "./figures.ts";
import { requireMeasure } from "./measure.ts";
import type { ResolvedCuts } from "./resolve.ts";
import { resolveCuts } from "./resolve.ts";
import { zeroFacts, zeroParts } from "./zero-facts.ts";

/**
 * Throws `bad_request` and `model_unsupported` for cuts that the model does not allow before anything is measured,
 * `conflict` where the output exists, and `disk_full` before it is written. Reads and writes in pieces. Aborted or killed, it
 * leaves nothing under the output's name.
 */
export async function pruneModel(options: PruneOptions): Promise<PruneReport> {
  const started = performance.now();
  const opened = await openSource(options.source);
  const cuts = resolveCuts(opened.file, options);
  const data = await openData(opened.source);
  try {
    const trial = tryOut(opened, data, cuts);
    checkAbsent(options.out);
    await checkRoom({ ...options, path: options.out, sizeBytes: trial.fileBytes }, dirname(resolve(options.out)));
    const activations = cuts.measures ? await requireMeasure(options)() : undefined;
    const kept = chooseKept({ file: opened.file, data, activations }, cuts);
    const { zeros } = options;
    const pruned = buildPruned(opened, data, { cuts, kept, zeros, activations });
    checkKind(pruned.file, cuts, kept);
    const written = await write(pruned, options);
    return {
      ...written,
      sourceWeights: weightsOf(opened.file),
      ...reportOf(pruned, options, { cuts, kept, activations }),
      ms: performance.now() - started,
    };
  } finally {
    data.close();
  }
}

/** A result of the same size, as a proof before a text is computed that any layer may go, or those that were named. */
function tryOut(source: WeightSource, data: WeightData, cuts: ResolvedCuts): GgufFile {
  const { model, layers } = cuts;
  const total = model?.layers.length ?? 0;
  const gone = new Set(layers && (layers.drop ?? [Math.floor((total - layers.count) / 2)]));
  // As many as will be there, one of the middle among those that go.
  if (layers && !layers.drop) for (let layer = total - 1; gone.size < layers.count; layer--) gone.add(layer);
  const staying = Array.from({ length: total }, (_, layer) => layer).filter((layer) => !gone.has(layer));
  const some = (counts: ResolvedCuts["channels"]) =>
    counts && new Map(staying.map((layer) => [layer, Array.from({ length: counts.keep }, (_, unit) => unit)] as const));
  const [groups, channels] = [some(cuts.groups), some(cuts.channels)];
  const kept = { layers: layers && staying, ...(groups && { groups }), ...(channels && { channels }) };
  const { file } = buildPruned(source, data, { cuts, kept });
  checkKind(file, cuts, kept);
  return file;
}

function checkKind(file: GgufFile, { model }: ResolvedCuts, { layers }: Kept): void {
  if (!model) return;
  const difference = differenceIn(model, file, layers ?? Array.from(model.layers, (_, layer) => layer));
  if (difference !== undefined) throw changesKind(file.name, difference);
}

type Written = Pick<PruneReport, "path" | "format" | "architecture" | "sizeBytes" | "notes">;

async function write(pruned: Pruned, { out, signal, onProgress, freeBytes }: PruneOptions): Promise<Written> {
  const options = { out, signal, onProgress, freeBytes, phase: "prune" } as const;
  if (/\.gguf$/i.test(out)) return await writeVirtual(pruned, options);
  return await writePlain({ file: pruned.file, metadata: pruned.metadata }, pruned, options);
}

interface Decided {
  readonly cuts: ResolvedCuts;
  readonly kept: Kept;
  readonly activations: Activations | undefined;
}

function reportOf(
  pruned: Pruned,
  { zeros }: PruneOptions,
  { cuts, kept, activations }: Decided,
): Pick<PruneReport, "weights" | "facts" | "influence" | "tensors"> {
  const { groups, channels, model } = cuts;
  const total = model?.layers.length ?? 0;
  const { layers } = kept;
  const weights = weightsOf(pruned.file);
  const heads = groups && { before: groups.total * groups.heads, after: groups.keep * groups.heads };
  const facts: PruneFacts = {
    ...(layers && { layers: { before: total, after: layers.length, dropped: missing(layers, total) } }),
    ...(heads && { heads }),
    ...(channels && { channels: { before: channels.total, after: channels.keep } }),
    ...(zeros && { zeros: zeroFacts(pruned, zeros, weights) }),
  };
  return {
    weights,
    facts,
    ...(activations && { influence: activations.cosines.map((cosine) => 1 - cosine) }),
    tensors: zeroParts(pruned),
  };
}

function missing(layers: readonly number[], total: number): readonly number[] {
  const there = new Set(layers);
  return Array.from({ length: total }, (_, layer) => layer).filter((layer) => !there.has(layer));
}

function weightsOf({ tensors }: GgufFile): number {
  return tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
}
