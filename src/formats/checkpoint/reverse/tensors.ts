/** From the tensors of a GGUF file back to those of a checkpoint, by the same rules. */
import { printable } from "../../gguf/malformed.ts";
import { readFloats } from "../cast.ts";
import type { Family, Part, Rule, Sizes } from "../family.ts";
import { unsupported } from "../json.ts";
import type { TensorName } from "../names.ts";
import { ggufName } from "../names.ts";
import { joinRows, orderRows, rowBytes } from "../rows.ts";
import type { MatrixRows } from "../scheme.ts";

/** A tensor of GGUF: rows of a floating type, and its dimensions, the contiguous one first. */
export interface GgufRows {
  readonly rows: MatrixRows;
  readonly shape: readonly number[];
}

export interface CheckpointTensor {
  readonly name: string;
  /** The contiguous dimension last. */
  readonly shape: readonly number[];
  readonly rows: MatrixRows;
}

export interface Restored {
  readonly tensors: readonly CheckpointTensor[];
  /** Names of GGUF tensors that no rule makes: tables that the configuration says instead. */
  readonly left: readonly string[];
}

export interface RestoreOptions {
  readonly family: Family;
  readonly sizes: Sizes;
  /** The model is a reranker or classifier. */
  readonly ranks: boolean;
}

type Found = ReadonlyMap<string, GgufRows>;

/** Throws `model_unsupported` where a tensor is there that the architecture does not have. */
export function restoreTensors(found: Found, { family, sizes, ranks }: RestoreOptions): Restored {
  const used = new Set<string>();
  // The body of a classifier is a part of it that has a name.
  const prefix = (family.prefixes ?? ["model."])[ranks ? 1 : 0] ?? "";
  const tensors: CheckpointTensor[] = [];
  for (const rule of chosenRules(family)) {
    const layers = rule.to.includes("#") ? Array.from({ length: sizes.layers }, (_, layer) => layer) : [undefined];
    for (const layer of layers) {
      for (const suffix of ["weight", "bias"] as const) {
        const place: Place = { rule, layer, suffix, prefix: isHead(rule) ? "" : prefix };
        for (const made of restore(found, place, sizes)) tensors.push(made);
        for (const part of partsOf(rule)) used.add(ggufName(part.to, place));
      }
    }
  }
  const left = [...found.keys()].filter((name) => !used.has(name));
  const unknown = left.find((name) => !/^rope_(freqs|factors_)/.test(name));
  if (unknown !== undefined) {
    throw unsupported("The file", printable(unknown), `has no place in a checkpoint of "${family.architecture}"`);
  }
  return { tensors, left };
}

/** Names that never have the prefix. */
function isHead({ from }: Rule): boolean {
  return /^(lm_head|output|classifier|score|head)(\.|$)/.test(from);
}

/** Of rules that make the same tensors the first one counts. */
function chosenRules({ rules }: Family): readonly Rule[] {
  const taken = new Map<string, "whole" | "places">();
  return rules.filter((rule) => {
    const kind = rule.place === undefined ? "whole" : "places";
    const clashes = partsOf(rule).some(({ to }) => taken.has(to) && !(kind === "places" && taken.get(to) === "places"));
    if (!clashes) for (const { to } of partsOf(rule)) taken.set(to, kind);
    return !clashes;
  });
}

function partsOf(rule: Rule): readonly Part[] {
  return [rule, ...(rule.and ?? [])];
}

interface Place extends Pick<TensorName, "layer" | "suffix"> {
  readonly rule: Rule;
  readonly prefix: string;
}

function restore(found: Found, place: Place, sizes: Sizes): readonly CheckpointTensor[] {
  const { rule, suffix, prefix, layer } = place;
  const parts = partsOf(rule).map(({ to }) => found.get(ggufName(to, place)));
  const [first] = parts;
  if (!first || parts.some((part) => part === undefined)) return [];
  const isStack = first.shape.length === 3;
  const name = `${prefix}${rule.from.replace("#", String(layer))}.${suffix}`;
  if (rule.from.includes("*")) return cut(first, name);
  if (rule.place !== undefined) return [cutPlace(first, { name, place: rule.place, sizes })];
  const rows = rule.plusOne ? minusOne(first.rows) : uncut(parts as readonly GgufRows[], rule, sizes);
  const { n, k } = rows;
  const [, , stack = 1] = first.shape;
  if (isStack) return [{ name, shape: [stack, n / stack, k], rows }];
  if (rule.squeeze) return [{ name, shape: [1, n * k], rows }];
  return [{ name, shape: first.shape.length === 1 ? [n * k] : [n, k], rows }];
}

/** Puts the rows where they came from. */
function uncut(parts: readonly GgufRows[], rule: Rule, sizes: Sizes): MatrixRows {
  const total = parts.reduce((sum, { rows }) => sum + rows.n, 0);
  const origin = new Int32Array(total).fill(-1);
  let start = 0;
  for (const [index, { rows }] of partsOf(rule).entries()) {
    const order = rows?.(total, sizes);
    const n = parts[index]?.rows.n ?? 0;
    if (!order && parts.length === 1) return parts[0]!.rows;
    if (order?.n !== n)
      throw unsupported("The file", rule.to, `has ${n} rows; its heads and experts ask for ${order?.n}`);
    for (let row = 0; row < n; row++) origin[order.at(row)] = start + row;
    start += n;
  }
  if (origin.includes(-1))
    throw unsupported("The file", rule.to, "has rows that do not make up a tensor of a checkpoint");
  const joined = joinRows(
    parts.map(({ rows }) => rows),
    rule.to,
  );
  return orderRows(joined, { n: total, at: (row) => origin[row] ?? 0 });
}

/** One tensor for each expert, or for the norm of each head. */
function cut({ rows, shape }: GgufRows, name: string): readonly CheckpointTensor[] {
  const isMatrix = shape.length === 3;
  const count = shape.at(-1) ?? 1;
  const n = rows.n / count;
  return Array.from({ length: count }, (_, index) => ({
    name: name.replace("*", String(index)),
    shape: isMatrix ? [n, rows.k] : [rows.k],
    rows: orderRows(rows, { n, at: (row) => index * n + row }),
  }));
}

interface CutPlace {
  readonly name: string;
  readonly place: number;
  readonly sizes: Sizes;
}

/** Queries, keys or values of a matrix that has all three. */
function cutPlace({ rows, shape }: GgufRows, { name, place, sizes }: CutPlace): CheckpointTensor {
  const { heads, keyHeads, headWidth } = sizes;
  const counts = [heads, keyHeads, keyHeads].map((count) => count * headWidth);
  const first = counts.slice(0, place).reduce((sum, count) => sum + count, 0);
  const n = counts[place] ?? 0;
  if (first + n > rows.n) throw unsupported("The file", name, `has ${rows.n} rows, too few for its heads`);
  const part = orderRows(rows, { n, at: (row) => first + row });
  return { name, shape: shape.length === 1 ? [n] : [n, rows.k], rows: part };
}

function minusOne(rows: MatrixRows): MatrixRows {
  const readRows: MatrixRows["readRows"] = (first, count, target) => {
    const values = readFloats(rows, first, count);
    for (let i = 0; i < values.length; i++) values[i]! -= 1;
    target.set(new Uint8Array(values.buffer));
  };
  return { type: "F32", n: rows.n, k: rows.k, readRows };
}

/** Bytes of a tensor. */
export function bytesOf({ rows }: CheckpointTensor): number {
  return rows.n * rowBytes(rows);
}
