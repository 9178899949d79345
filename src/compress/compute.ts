/** A model that computes in this process. */
import type { Study, StudyOptions } from "../engines/flint/study.ts";
import { openStudy } from "../engines/flint/study.ts";
import type { Progress } from "../spec/model.ts";

export interface ComputeOptions extends Omit<StudyOptions, "onProgress"> {
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Loads a model for `work`, and gives its memory back afterwards. Fast with the flags of `engines/flint/flags.ts`. */
export async function withModel<T>(
  path: string,
  options: ComputeOptions,
  work: (study: Study) => Promise<T>,
): Promise<T> {
  const { onProgress, name } = options;
  const study = await openStudy(path, {
    ...options,
    onProgress: (completedBytes) => onProgress?.({ phase: "load", label: name, completedBytes }),
  });
  try {
    return await work(study);
  } finally {
    await study.dispose();
  }
}
