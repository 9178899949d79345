/** Names of tensors in a checkpoint, taken apart. */
import type { Family, Rule } from "./family.ts";

export interface TensorName {
  /** Without the family's prefix, with `#` for the layer and `*` for the number inside it. */
  readonly pattern: string;
  readonly layer: number | undefined;
  readonly index: number | undefined;
  /** Experts that stand in one tensor have none, and theirs is `weight`. */
  readonly suffix: "weight" | "bias";
}

const suffixes: Readonly<Record<string, TensorName["suffix"]>> = {
  weight: "weight",
  bias: "bias",
  // Of norms in the oldest checkpoints.
  gamma: "weight",
  beta: "bias",
};

/** Takes a name apart; `prefix` is what stands in front of it in this checkpoint. */
export function parseTensorName(name: string, prefix: string): TensorName {
  const parts = (name.startsWith(prefix) ? name.slice(prefix.length) : name).split(".");
  const suffix = suffixes[parts.at(-1) ?? ""];
  if (suffix) parts.pop();
  let layer: number | undefined;
  let index: number | undefined;
  const pattern = parts.map((part) => {
    if (!/^\d{1,6}$/.test(part)) return part;
    if (layer === undefined) {
      layer = Number(part);
      return "#";
    }
    index = Number(part);
    return "*";
  });
  return { pattern: pattern.join("."), layer, index, suffix: suffix ?? "weight" };
}

/** The prefix with which most tensors have a rule. */
export function findPrefix(family: Family, rules: ReadonlyMap<string, Rule>, names: readonly string[]): string {
  const prefixes = [...(family.prefixes ?? ["model."]), ""];
  const known = (prefix: string): number =>
    names.filter((name) => name.startsWith(prefix) && rules.has(parseTensorName(name, prefix).pattern)).length;
  const counts = prefixes.map(known);
  return prefixes[counts.indexOf(Math.max(...counts))] ?? "";
}

/** `blk.#.attn_q` and 3 → `blk.3.attn_q`. */
export function ggufName(to: string, { layer, suffix }: Pick<TensorName, "layer" | "suffix">): string {
  return `${to.replace("#", String(layer))}.${suffix}`;
}
