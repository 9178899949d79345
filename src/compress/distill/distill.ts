/** Makes a student better and writes it. */
import { dirname, resolve } from "node:path";
import { writePlain } from "../convert/to-checkpoint.ts";
import { writeVirtual } from "../convert/to-gguf.ts";
import { learnIsolated } from "../isolate.ts";
import { checkAbsent, checkRoom } from "../output.ts";
import { openData, openSource } from "../source.ts";
import type { DistillOptions, DistillReport } from "./contract.ts";
import { mergeLearned } from "./merge.ts";

/**
 * Computes in a process of its own. Throws what `learn` throws, `conflict` where the output exists, and `disk_full` before
 * anything is computed. Aborted or killed, it leaves nothing under the output's name.
 */
export async function distillModel(options: DistillOptions): Promise<DistillReport> {
  const { out, freeBytes, signal, onProgress, ...rest } = options;
  const started = performance.now();
  const opened = await openSource(options.student.path);
  checkAbsent(out);
  await checkRoom({ path: out, sizeBytes: sizeOf(opened.file.tensors), freeBytes }, dirname(resolve(out)));
  const learned = await learnIsolated({ ...rest, signal, onProgress });
  const data = await openData(opened.source);
  try {
    const merged = mergeLearned(opened, data, learned);
    const target = { out, freeBytes, signal, onProgress };
    const written = /\.gguf$/i.test(out)
      ? await writeVirtual(merged, target)
      : await writePlain(merged, merged, target);
    const { path, sizeBytes, notes } = written;
    return { ...learned.facts, path, sizeBytes, notes, ms: performance.now() - started };
  } finally {
    data.close();
  }
}

/** At least: what is quantized grows. */
function sizeOf(tensors: readonly { readonly sizeBytes: number }[]): number {
  return tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
