/** Which of the loaded adapters a request wants. */
import { HearthError } from "../../../error.ts";
import type { GenerateRequest } from "../../../spec/engine.ts";

/** A loaded adapter, as requests name it. */
export interface LoadedAdapter {
  readonly path: string;
  /** Where a request does not say. */
  readonly scale: number;
}

/**
 * The scale of each loaded adapter for a request; undefined: those of the load. Throws `bad_request` for an adapter that
 * is not loaded, one that is named twice, and a scale that is no number.
 */
export function chooseAdapters(
  { adapters: choices }: Pick<GenerateRequest, "adapters">,
  loaded: readonly LoadedAdapter[],
): readonly number[] | undefined {
  if (!choices) return undefined;
  const scales = new Map<number, number>();
  for (const { adapter, scale } of choices) {
    const index = typeof adapter === "number" ? adapter : loaded.findIndex(({ path }) => path === adapter);
    const found = loaded[index];
    if (!found) throw bad(`names the adapter ${JSON.stringify(adapter)}; the model was loaded with ${loaded.length}`);
    if (scales.has(index)) throw bad(`names the adapter ${JSON.stringify(adapter)} twice`);
    scales.set(index, checkScale(scale ?? found.scale));
  }
  return loaded.map((_, index) => scales.get(index) ?? 0);
}

/** Throws `bad_request`. */
export function checkScale(scale: number): number {
  if (!(Math.abs(scale) <= 1000)) throw bad(`has the scale ${scale}; it must be from -1000 to 1000`);
  return scale;
}

/** Cache blocks are shared only between equal tenants and adapters: keys and values depend on both. */
export function cacheRoot(tenant: string | undefined, adapters: readonly LoadedAdapter[]): string {
  return JSON.stringify([tenant ?? null, ...adapters.map(({ path, scale }) => [path, scale])]);
}

function bad(problem: string): HearthError {
  return new HearthError("bad_request", `adapters ${problem}.`, { details: { field: "adapters" } });
}
