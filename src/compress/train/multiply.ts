import type { Machine } from "./machine.ts";
import { panelName, panelWidth, tileRows } from "./panel.ts";

/** Numbers in two dimensions: element (i, k) is at `address` + i · `row` + k · `step`, in bytes. */
export interface Strided {
  readonly address: number;
  readonly row: number;
  readonly step: number;
}

export interface Product {
  /** c[i][j] = factor · Σ_k a[i][k] · b[j][k], for i < m, j < n, k < `depth`. `b` is contiguous in j or in k. */
  readonly a: Strided;
  readonly b: Strided;
  readonly c: { readonly address: number; readonly row: number };
  readonly m: number;
  readonly n: number;
  readonly depth: number;
  readonly factor?: number;
  /** Added to what is there. */
  readonly add?: boolean;
  /**
   * What a causal mask leaves of square matrices. `lower`: only c[i][j] with j <= i is computed (and some that are not
   * wanted). `left`: a[i][k] is 0 for k > i. `left-upper`: a[i][k] is 0 for k < i.
   */
  readonly causal?: "lower" | "left" | "left-upper";
}

/** Room for a panel and for a tile at the edge, made once for each thread. */
export interface PanelRoom {
  readonly panel: number;
  readonly edge: number;
}

/** k that are multiplied at once: a panel of so many stays in the first cache. */
const depthBlock = 320;

export const panelFloats: number = (depthBlock + 16) * panelWidth;
const edgeRows = 96;
export const edgeFloats: number = edgeRows * panelWidth;

export type Multiply = (product: Product) => void;

export function createMultiply(machine: Machine, room: PanelRoom): Multiply {
  return (product) => {
    const { depth, causal } = product;
    const blocks = Math.ceil(depth / depthBlock);
    const size = Math.ceil(depth / blocks / 4) * 4;
    const starts: number[] = [];
    for (let start = 0; start < depth; start += size) starts.push(start);
    // The first block writes all rows that any block has.
    if (causal === "left-upper") starts.reverse();
    for (const [index, start] of starts.entries()) {
      const count = Math.min(size, depth - start);
      multiplyBlock({ machine, room, product, start, count, add: index > 0 || (product.add ?? false) });
    }
  };
}

interface Block {
  readonly machine: Machine;
  readonly room: PanelRoom;
  readonly product: Product;
  readonly start: number;
  readonly count: number;
  readonly add: boolean;
}

function multiplyBlock(block: Block): void {
  const { machine, room, product, start, count } = block;
  const { b, m, n, causal } = product;
  const from = causal === "left" ? start : 0;
  const to = causal === "left-upper" ? Math.min(m, start + count) : m;
  for (let j = 0; j < n; j += panelWidth) {
    const width = Math.min(panelWidth, n - j);
    pack(machine, { b, j, width, start, count, panel: room.panel });
    const first = causal === "lower" ? j : from;
    if (width === panelWidth) writeRows(block, { first, to, j });
    else writeEdge(block, { first, to, j, width });
  }
}

interface Packing {
  readonly b: Strided;
  readonly j: number;
  readonly width: number;
  readonly start: number;
  readonly count: number;
  readonly panel: number;
}

function pack(machine: Machine, { b, j, width, start, count, panel }: Packing): void {
  const source = b.address + j * b.row + start * b.step;
  const whole = width === panelWidth;
  if (whole && b.row === 4) {
    machine.call("pack-columns", source, b.step, panel, count);
    return;
  }
  const quick = whole && b.step === 4 ? count & ~3 : 0;
  if (quick > 0) machine.call("pack-rows", source, b.row, panel, quick);
  const { floats } = machine;
  for (let k = quick; k < count; k++) {
    const row = (panel >> 2) + k * panelWidth;
    for (let column = 0; column < width; column++) {
      floats[row + column] = floats[(source + column * b.row + k * b.step) >>> 2]!;
    }
    for (let column = width; column < panelWidth; column++) floats[row + column] = 0;
  }
}

interface Rows {
  readonly first: number;
  readonly to: number;
  readonly j: number;
}

function writeRows({ machine, room, product, start, count, add }: Block, { first, to, j }: Rows): void {
  const { a, c, factor = 1 } = product;
  const tiles = Math.floor((to - first) / tileRows);
  const run = (rows: number, from: number, times: number): void => {
    const source = a.address + from * a.row + start * a.step;
    const target = c.address + from * c.row + j * 4;
    machine.call(panelName({ rows, add }), source, a.row, a.step, room.panel, count, target, c.row, times, factor);
  };
  if (tiles > 0) run(tileRows, first, tiles);
  const rest = to - first - tiles * tileRows;
  if (rest > 0) run(rest, to - rest, 1);
}

/** Fewer columns than a panel has: computed beside, and copied. */
function writeEdge(block: Block, { first, to, j, width }: Rows & { readonly width: number }): void {
  const { machine, room, product, add } = block;
  const { floats } = machine;
  const { c, a } = product;
  for (let row = first; row < to; row += edgeRows) {
    const rows = Math.min(edgeRows, to - row);
    const part: Product = {
      ...product,
      a: { ...a, address: a.address + row * a.row },
      c: { address: room.edge, row: panelWidth * 4 },
    };
    writeRows({ ...block, product: part, add: false }, { first: 0, to: rows, j: 0 });
    for (let i = 0; i < rows; i++) {
      const target = (c.address + (row + i) * c.row) / 4 + j;
      const source = room.edge / 4 + i * panelWidth;
      for (let column = 0; column < width; column++) {
        floats[target + column] = floats[source + column]! + (add ? floats[target + column]! : 0);
      }
    }
  }
}
