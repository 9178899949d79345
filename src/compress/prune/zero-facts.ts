/** How many weights are zero. */
import type { Pruned } from "./build.ts";
import type { Cuts, PruneReport, ZeroFacts } from "./contract.ts";

export function zeroFacts(pruned: Pruned, zeros: NonNullable<Cuts["zeros"]>, weights: number): ZeroFacts {
  const sizes = sizesOf(pruned);
  let [zero, all] = [0, 0];
  for (const [name, count] of pruned.zeros) {
    zero += count();
    all += sizes.get(name) ?? 0;
  }
  return {
    method: zeros.method,
    ...("of" in zeros && { pattern: `${zeros.keep}:${zeros.of}` }),
    inLayers: zero / Math.max(1, all),
    inAll: zero / weights,
  };
}

export function zeroParts(pruned: Pruned): PruneReport["tensors"] {
  const sizes = sizesOf(pruned);
  return Array.from(pruned.zeros, ([name, count]) => ({ name, zeros: count() / (sizes.get(name) ?? 1) }));
}

function sizesOf({ file }: Pruned): ReadonlyMap<string, number> {
  return new Map(file.tensors.map(({ name, shape }) => [name, shape.reduce((product, size) => product * size, 1)]));
}
