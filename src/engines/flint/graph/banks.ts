/**
 * A memory of WebAssembly holds 4 GiB at most. Larger models are spread over several, the banks: a layer's weights and
 * its cache stand in one of them, and the stages of the layer run there. What a stage reads from another bank is copied
 * first: from layer to layer that is one vector for each row.
 */
import type { Op, Recording } from "./program.ts";
import type { Stage } from "./stages.ts";
import { inputsOf, opsOf, outputOf } from "./stages.ts";

export interface Banks {
  readonly count: number;
  ofTensor(name: string): number;
  ofAttention(index: number): number;
}

/** What must stay together: a layer, or a tensor that belongs to none. */
function groupOf(tensor: string): string {
  return /blk\.\d+\./.exec(tensor)?.[0] ?? tensor;
}

export interface BankSizes {
  /** Bytes of every tensor in memory. */
  readonly tensors: ReadonlyMap<string, number>;
  /** Bytes of the cache of every attention. */
  readonly attentions: readonly number[];
  /** Bytes of a bank that are free for them. */
  readonly room: number;
}

/** Fills one bank after the other with groups in the order in which the forward pass comes by them. */
export function assignBanks({ ops, attentions }: Recording, sizes: BankSizes): Banks {
  const layerGroup = (index: number): string => `blk.${attentions[index]?.layer ?? 0}.`;
  const bytes = new Map<string, number>();
  const grow = (group: string, more: number): void => void bytes.set(group, (bytes.get(group) ?? 0) + more);
  for (const [name, size] of sizes.tensors) grow(groupOf(name), size);
  attentions.forEach((_, index) => grow(layerGroup(index), sizes.attentions[index] ?? 0));
  const banks = new Map<string, number>();
  let bank = 0;
  let used = 0;
  const order = new Set(ops.flatMap((op) => tensorsOf(op).map(groupOf)));
  for (const group of [...order, ...bytes.keys()]) {
    if (banks.has(group)) continue;
    const size = bytes.get(group) ?? 0;
    if (used > 0 && used + size > sizes.room) {
      bank++;
      used = 0;
    }
    banks.set(group, bank);
    used += size;
  }
  return {
    count: bank + 1,
    ofTensor: (name) => banks.get(groupOf(name)) ?? 0,
    ofAttention: (index) => banks.get(layerGroup(index)) ?? 0,
  };
}

/** Names of the tensors that an operation reads. */
export function tensorsOf(op: Op): string[] {
  switch (op.kind) {
    case "embed":
    case "embed-position":
    case "embed-constant":
      return [op.table.name];
    case "matmul":
      return [op.weight.name];
    case "bias":
      return [op.bias.name];
    case "gather":
      return [op.columns.name];
    case "norm":
      return [op.weight?.name ?? [], op.bias?.name ?? []].flat();
    case "adapt":
      return op.parts.map(({ b }) => b.name);
    default:
      return [];
  }
}

/** The bank that an operation must run in; undefined where any will do. */
export function bankOf(op: Op, banks: Banks): number | undefined {
  if (op.kind === "rotate-store" || op.kind === "attend") return banks.ofAttention(op.attention);
  const [tensor] = tensorsOf(op);
  return tensor === undefined ? undefined : banks.ofTensor(tensor);
}

/** Puts in front of every stage what brings it the values that stand in another bank. */
export function addTransfers(stages: readonly Stage[]): Stage[] {
  const valid = new Map<number, Set<number>>();
  const result: Stage[] = [];
  for (const stage of stages) {
    const { bank } = stage;
    const written = new Set<number>();
    for (const op of opsOf(stage)) {
      for (const value of inputsOf(op)) {
        const places = valid.get(value);
        if (written.has(value) || !places || places.has(bank)) continue;
        result.push({ kind: "transfer", value, from: [...places][0] ?? 0, bank });
        places.add(bank);
      }
      const out = outputOf(op);
      if (out === undefined) continue;
      written.add(out);
      valid.set(out, new Set([bank]));
    }
    result.push(stage);
  }
  return result;
}
