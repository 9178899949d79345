/** Runs attention: a piece is some tiles, each of them neighbouring rows of one sequence and the queries of one key head. */
import type { AttendShape } from "../kernels/wasm/attention.ts";
import { attend, attendName, attendScratchBytes } from "../kernels/wasm/attention.ts";
import type { Counts } from "./counts.ts";
import type { KernelWriters } from "./runner.ts";
import { asideRows } from "./runner.ts";
import type { StageRunner } from "./runner.ts";
import type { PlacedAttention, Plan } from "./plan.ts";
import type { AttendOp } from "./program.ts";
import type { RowContext } from "./rows.ts";

export function attendKernels({ attentions }: Plan): KernelWriters {
  return attentions.map(shapeOf).map((shape) => [attendName(shape), () => attend(shape)]);
}

function shapeOf(attention: PlacedAttention): AttendShape {
  const { heads, keyHeads, headWidth, valueWidth, keyType, valueType, scale, softCap } = attention;
  const cap = softCap === undefined ? {} : { softCap };
  return { heads, keyHeads, headWidth, valueWidth, keyType, valueType, scale, ...cap };
}

/** Queries of a tile, if there are that many: their keys and values are read once. */
const tileQueries = 32;
const mostPieces = 1024;

export function attendRunner(op: AttendOp, { plan, kernels, memory, scratch }: RowContext): StageRunner {
  const attention = plan.attentions[op.attention];
  const q = plan.values[op.q];
  const out = plan.values[op.out];
  if (!attention || !q || !out) throw new RangeError("attention without a place");
  const shape = shapeOf(attention);
  const kernel = kernels[attendName(shape)];
  if (!kernel) throw new Error(`no kernel ${attendName(shape)}`);
  const { heads, keyHeads, headWidth, valueWidth, keyBlockBytes, valueBlockBytes } = attention;
  const group = heads / keyHeads;
  const fits = Math.floor(plan.scratchBytes / attendScratchBytes(shape, 1));
  const whole = q.stride === heads * headWidth * 4 && out.stride === heads * valueWidth * 4;
  const tileRows = whole ? Math.max(1, Math.floor(Math.min(tileQueries, fits) / group)) : 1;
  const groupQueries = Math.min(group, fits);

  const rowBytes = heads * valueWidth * 4;
  const own = scratch + Math.ceil(attendScratchBytes(shape, groupQueries * tileRows) / 64) * 64;
  const bytes = new Uint8Array(memory.buffer);
  const tableOffset = attention.group * plan.tableBlocks * 4;

  const runTile = (tile: Tile, counts: Counts, aside: boolean): void => {
    if (!attention.picturesBothWays && !attention.parts) return runRows(tile, counts, aside ? own : undefined);
    for (const part of alike(tile, counts)) {
      runRows(part, counts, aside ? own + (part.row - tile.row) * rowBytes : undefined);
    }
  };
  /** `aside`: where the results go, if not to their place. */
  const runRows = ({ row, rows, keyHead }: Tile, counts: Counts, aside: number | undefined): void => {
    const { first, end, step, length } = rangeOf(attention, row, counts);
    const keys = attention.keys + (keyHead * keyBlockBytes) / keyHeads;
    const values = attention.values + (keyHead * valueBlockBytes) / keyHeads;
    for (let head = keyHead * group; head < (keyHead + 1) * group; head += groupQueries) {
      const count = Math.min(groupQueries, (keyHead + 1) * group - head);
      const from = q.address + row * q.stride + head * headWidth * 4;
      const to = (aside ?? out.address + row * out.stride) + head * valueWidth * 4;
      const table = counts.table(row) + tableOffset;
      kernel(from, to, rows, count, keys, values, table, first, end, step, length, scratch);
    }
  };
  return {
    pieces: (counts) => Math.min(mostPieces, tilesOf(counts, tileRows, keyHeads)),
    run(piece, counts) {
      const tiles = tilesOf(counts, tileRows, keyHeads);
      const pieces = Math.min(mostPieces, tiles);
      const end = Math.floor((tiles * (piece + 1)) / pieces);
      for (let index = Math.floor((tiles * piece) / pieces); index < end; index++) {
        runTile(tileAt(index, { counts, tileRows, keyHeads }), counts, false);
      }
    },
    ...(own + asideRows * rowBytes <= scratch + plan.scratchBytes && {
      aside(piece, counts) {
        runTile(tileAt(piece, { counts, tileRows, keyHeads }), counts, true);
      },
      publish(piece, counts) {
        const { row, rows, keyHead } = tileAt(piece, { counts, tileRows, keyHeads });
        const start = keyHead * group * valueWidth * 4;
        for (let index = 0; index < rows; index++) {
          const from = own + index * rowBytes + start;
          bytes.copyWithin(out.address + (row + index) * out.stride + start, from, from + group * valueWidth * 4);
        }
      },
    }),
  };
}

interface Tile {
  readonly row: number;
  readonly rows: number;
  readonly keyHead: number;
}

function tilesOf(counts: Counts, tileRows: number, keyHeads: number): number {
  let tiles = 0;
  for (let run = 0; run < counts.runs; run++) tiles += Math.ceil(counts.run(run).rows / tileRows);
  return tiles * keyHeads;
}

interface TileGrid {
  readonly counts: Counts;
  readonly tileRows: number;
  readonly keyHeads: number;
}

/** Tiles are numbered run by run, in each by rows and then by key head. */
function tileAt(index: number, { counts, tileRows, keyHeads }: TileGrid): Tile {
  let rest = Math.floor(index / keyHeads);
  for (let run = 0; run < counts.runs; run++) {
    const { first, rows } = counts.run(run);
    const tiles = Math.ceil(rows / tileRows);
    if (rest < tiles) {
      const row = first + rest * tileRows;
      return { row, rows: Math.min(tileRows, first + rows - row), keyHead: index % keyHeads };
    }
    rest -= tiles;
  }
  throw new RangeError(`no tile ${index}`);
}

/** Parts of a tile whose rows see as far as each other, or each one as far as itself. */
function* alike({ row, rows, keyHead }: Tile, counts: Counts): Generator<Tile> {
  const end = row + rows;
  for (let from = row, to = row; from < end; from = to) {
    while (to < end && counts.reach(to) === counts.reach(from)) to++;
    yield { row: from, rows: to - from, keyHead };
  }
}

/** Tokens that a row sees, and how the range moves from row to row. The kernel cuts it to the sequence's `length`. */
function rangeOf({ window, bidirectional, parts }: PlacedAttention, row: number, counts: Counts) {
  const [position, length] = [counts.position(row), counts.length(row)];
  if (parts) return { first: counts.start(row), end: counts.reach(row), step: 0, length };
  const half = Math.floor((window ?? 0) / 2);
  if (bidirectional && !window) return { first: 0, end: length, step: 0, length };
  if (bidirectional) return { first: position - half, end: position + half + 1, step: 1, length };
  // Without a window only the end moves; a range from far before the sequence is cut to its begin.
  const first = window ? position - window + 1 : -(2 ** 30);
  const reach = counts.reach(row);
  // All rows of a picture see to its end: there the range is cut, however it moves.
  return reach > 0 ? { first, end: reach, step: 1, length: reach } : { first, end: position + 1, step: 1, length };
}
