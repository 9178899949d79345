/** Which rows and columns of a layer's tensors stay when heads and channels go. */
import { orderRows } from "../../formats/checkpoint/rows.ts";
import type { MatrixRows } from "../../formats/checkpoint/scheme.ts";
import type { ResolvedCuts } from "./resolve.ts";
import { takeColumns } from "./rows.ts";

export interface LayerCut {
  /** Of the source: heads that share keys, and channels, that stay. */
  readonly groups?: readonly number[] | undefined;
  readonly channels?: readonly number[] | undefined;
}

interface Places {
  readonly rows?: readonly number[];
  readonly columns?: readonly number[];
}

export interface CutTensor {
  readonly shape: readonly number[];
  readonly rows: MatrixRows;
}

/** `part`: "attn_q.weight". */
export function cutTensor({ shape, rows }: CutTensor, part: string, places: Places): CutTensor {
  const { rows: taken, columns } = places;
  if (taken) {
    const n = taken.length;
    return { shape: [...shape.slice(0, -1), n], rows: orderRows(rows, { n, at: (row) => taken[row] ?? 0 }) };
  }
  // A bias behind the matrix belongs to its rows.
  if (!columns || part.endsWith(".bias")) return { shape, rows };
  return { shape: [columns.length, ...shape.slice(1)], rows: takeColumns(rows, columns) };
}

/** What stays of a tensor; `rows`: how many it has. */
export function placesOf(part: string, rows: number, { groups, channels }: LayerCut, cuts: ResolvedCuts): Places {
  const { model } = cuts;
  const [name] = part.split(".");
  if (!model) return {};
  const { headWidth, valueWidth } = model;
  const [each = 1, total = 0] = [cuts.groups?.heads, cuts.groups?.total];
  const of = (units: readonly number[], width: number, start = 0): number[] =>
    units.flatMap((unit) => Array.from({ length: width }, (_, index) => start + unit * width + index));
  if (groups) {
    const queries = each * headWidth;
    if (name === "attn_q") return { rows: of(groups, queries) };
    if (name === "attn_k") return { rows: of(groups, headWidth) };
    if (name === "attn_v") return { rows: of(groups, valueWidth) };
    if (name === "attn_output") return { columns: of(groups, each * valueWidth) };
    if (name === "attn_qkv") {
      const keys = total * queries;
      const parts = [of(groups, queries), of(groups, headWidth, keys)];
      return { rows: [...parts, of(groups, valueWidth, keys + total * headWidth)].flat() };
    }
  }
  if (channels) {
    const all = cuts.channels?.total ?? 0;
    if (name === "ffn_down") return { columns: channels };
    if (name === "ffn_gate") return { rows: channels };
    // Gate and up may be one matrix.
    if (name === "ffn_up") return { rows: rows === 2 * all ? [...channels, ...of(channels, 1, all)] : channels };
  }
  return {};
}
