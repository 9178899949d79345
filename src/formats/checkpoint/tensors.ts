/** From the tensors of a checkpoint to those of GGUF. */
import { printable } from "../gguf/malformed.ts";
import { castRows, isFloat, plusOne } from "./cast.ts";
import type { FloatType } from "./cast.ts";
import type { ChooseRows, Family, Rule, Sizes } from "./family.ts";
import type { Figures } from "./figures.ts";
import { malformed, unsupported } from "./json.ts";
import { findPrefix, ggufName, parseTensorName } from "./names.ts";
import type { TensorName } from "./names.ts";
import { constantRows, joinRows, orderRows } from "./rows.ts";
import type { MatrixRows } from "./scheme.ts";

/** A matrix or vector of the checkpoint under its name there. */
export interface SourceTensor {
  readonly name: string;
  readonly rows: MatrixRows;
  readonly isVector: boolean;
  /** Matrices that stand one below the other in it: experts. Else 1. */
  readonly stack: number;
}

/** A tensor under its name in GGUF. */
export interface NamedTensor {
  readonly name: string;
  /** Elements per dimension, the contiguous one first. */
  readonly shape: readonly number[];
  readonly rows: MatrixRows;
}

interface Member {
  readonly source: SourceTensor;
  readonly rule: Rule;
  readonly choose: ChooseRows | undefined;
  readonly index: number | undefined;
}

export interface Mapping {
  readonly tensors: readonly NamedTensor[];
  /** Names of tensors that the graph has no use for. */
  readonly ignored: readonly string[];
}

/**
 * Renames, reorders and joins; `mixed`: what parts of one tensor become that have several types. Throws `model_unsupported` for a tensor that the family has no place for, and
 * `model_malformed` where parts of a tensor or layers are missing.
 */
export function mapTensors(sources: readonly SourceTensor[], figures: Figures, mixed?: FloatType): Mapping {
  const { family, sizes, tied } = figures;
  const rules = new Map(family.rules.toReversed().map((rule) => [rule.from, rule]));
  const prefix = findPrefix(
    family,
    rules,
    sources.map(({ name }) => name),
  );
  const groups = new Map<string, Member[]>();
  const ignored: string[] = [];
  for (const source of sources) {
    const name = parseTensorName(source.name, prefix);
    const rule = rules.get(name.pattern);
    const isUnused = rule && isIgnored(rule, name, { tied, ranks: figures.labels !== undefined });
    if (!rule || isUnused) {
      if (!isUnused && !family.ignored?.test(name.pattern)) throw noPlace(source.name, figures);
      ignored.push(source.name);
      continue;
    }
    for (const part of [rule, ...(rule.and ?? [])]) {
      const key = ggufName(part.to, name);
      const members = groups.get(key) ?? [];
      members.push({ source, rule, choose: part.rows, index: name.index });
      groups.set(key, members);
    }
  }
  const tensors = [...groups].map(([name, members]) => buildTensor(name, members, { sizes, mixed }));
  for (const [name, values] of figures.constants) {
    tensors.push({ name, shape: [values.length], rows: constantRows(values) });
  }
  checkLayers(tensors, sizes.layers);
  return { tensors: sorted(withOutput(tensors, figures), family.rules), ignored };
}

function layerOf(name: string): number | undefined {
  const layer = /^blk\.(\d+)\./.exec(name)?.[1];
  return layer === undefined ? undefined : Number(layer);
}

function checkLayers(tensors: readonly NamedTensor[], layers: number): void {
  const found = new Set(tensors.map(({ name }) => layerOf(name)));
  const missing = Array.from({ length: Math.min(layers, 10_000) }, (_, layer) => layer).find(
    (layer) => !found.has(layer),
  );
  const beyond = [...found].find((layer) => layer !== undefined && layer >= layers);
  const problem = missing === undefined ? `go on to layer ${beyond}` : `have no layer ${missing}`;
  if (missing === undefined && beyond === undefined) return;
  throw malformed("config.json", "num_hidden_layers", `is ${layers}, but the weights ${problem}`);
}

interface Use {
  readonly tied: boolean | undefined;
  readonly ranks: boolean;
}

/** A second copy of the embeddings, and the head of an encoder that is not asked to rank. */
function isIgnored({ to }: Rule, { layer }: TensorName, { tied, ranks }: Use): boolean {
  if (layer !== undefined) return false;
  return (to === "output" && tied === true) || (/^cls(\.|$)/.test(to) && !ranks);
}

function noPlace(name: string, { family, config }: Figures): Error {
  const hint = "Is config.json that of these weights? If so, look for the model as GGUF.";
  const problem = `has no place in the architecture "${family.architecture}" of ${config.name}`;
  return unsupported("The weights", printable(name), problem, hint);
}

interface BuildContext {
  readonly sizes: Sizes;
  readonly mixed: FloatType | undefined;
}

function buildTensor(name: string, members: readonly Member[], { sizes, mixed }: BuildContext): NamedTensor {
  const [first] = members;
  if (!first) throw new RangeError("no members");
  const ordered = [...members].sort((a, b) => placeOf(a) - placeOf(b));
  checkMembers(name, ordered, sizes);
  const parts = ordered.map(({ source, rule, choose }) => {
    const { rows } = source;
    const chosen = choose ? orderRows(rows, checkedOrder(source, choose(rows.n, sizes))) : rows;
    return rule.plusOne ? plusOne(chosen) : chosen;
  });
  const differ = parts.some(({ type }) => type !== parts[0]?.type);
  const alike =
    mixed && differ ? parts.map((part) => (isFloat(part.type) ? castRows(part, mixed, name) : part)) : parts;
  const rows = joinRows(alike, name);
  return toFloatVector(name, { shape: shapeOf(rows, ordered), rows });
}

function placeOf({ rule, index }: Member): number {
  return index ?? rule.place ?? 0;
}

/** Numbers of experts and heads go from 0 without a gap, and parts that are joined are all there. */
function checkMembers(name: string, members: readonly Member[], sizes: Sizes): void {
  const gap = members.findIndex((member, place) => placeOf(member) !== place);
  const example = members[0]?.source.name ?? "";
  if (gap >= 0) throw malformed("The weights", example, `is there ${members.length} times; number ${gap} is missing`);
  const stack = members[0]?.index === undefined ? (members[0]?.source.stack ?? 1) : members.length;
  if (/_exps\./.test(name) && stack !== sizes.experts) {
    throw malformed("The weights", example, `is there for ${stack} experts; config.json has ${sizes.experts}`);
  }
}

function checkedOrder({ name, rows }: SourceTensor, order: ReturnType<ChooseRows>): ReturnType<ChooseRows> {
  if (Number.isInteger(order.n) && order.n >= 1 && order.n <= rows.n && order.at(order.n - 1) < rows.n) return order;
  throw malformed("The weights", name, `has ${rows.n} rows, which does not fit the heads and experts of config.json`);
}

/** Contiguous dimension first. */
function shapeOf({ n, k }: MatrixRows, members: readonly Member[]): readonly number[] {
  const [first] = members;
  const isVector = first?.source.isVector || first?.rule.squeeze;
  const isIndexed = first?.index !== undefined;
  // Norms of heads are stacked to a matrix.
  if (isVector) return isIndexed ? [n / members.length, members.length] : [n * k];
  const stack = isIndexed ? members.length : (first?.source.stack ?? 1);
  return stack > 1 || isIndexed ? [k, n / stack, stack] : [k, n];
}

const floatTables = /(^|\.)(ffn_gate_inp|position_embd|token_types|attn_[qk]_norm)\.weight$/;

/** Vectors, and the small tables that are float32 whatever the matrices are. */
export function isFloatTable({ name, shape }: Pick<NamedTensor, "name" | "shape">): boolean {
  return shape.length === 1 || floatTables.test(name);
}

function toFloatVector(name: string, { shape, rows }: Omit<NamedTensor, "name">): NamedTensor {
  if (!isFloatTable({ name, shape })) return { name, shape, rows };
  if (!isFloat(rows.type)) {
    throw unsupported("The weights", name, `is quantized as ${rows.type}; norms and routers must not be`);
  }
  return { name, shape, rows: castRows(rows, "F32", name) };
}

/** Formats that cannot say that the output is that of the embeddings get it twice. */
function withOutput(tensors: NamedTensor[], { family, tied }: Figures): NamedTensor[] {
  if (!family.ownOutput || tensors.some(({ name }) => name === "output.weight")) return tensors;
  const embeddings = tensors.find(({ name }) => name === "token_embd.weight");
  if (!embeddings || tied === false) return tensors;
  return [...tensors, { ...embeddings, name: "output.weight" }];
}

/** Embeddings, layers by number, the rest; in a layer as the family lists them, wherever the checkpoint has them. */
function sorted(tensors: readonly NamedTensor[], rules: Family["rules"]): readonly NamedTensor[] {
  const ranks = new Map(
    rules.flatMap((rule) => [rule, ...(rule.and ?? [])]).map(({ to }, index) => [to, index] as const),
  );
  const place = ({ name }: NamedTensor): number =>
    layerOf(name) ?? (/^(token|position|rope)/.test(name) ? -1 : Number.MAX_SAFE_INTEGER);
  const rank = ({ name }: NamedTensor): number =>
    ranks.get(name.replace(/^blk\.\d+\./, "blk.#.").replace(/\.(weight|bias)$/, "")) ?? 0;
  return tensors.toSorted((a, b) => place(a) - place(b) || rank(a) - rank(b) || (a.name < b.name ? 1 : -1));
}
