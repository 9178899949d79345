/** Runs pieces of matrix stages: a piece is some row groups of one matrix, for all rows of the step. */
import { floatMatmulName } from "../kernels/wasm/matmul-float.ts";
import { superMatmulName } from "../kernels/wasm/matmul-super.ts";
import { matmulName } from "../kernels/wasm/matmul.ts";
import { rowGroup, rowGroupBytes } from "../weights/layout.ts";
import type { PlacedMatrix, PlacedValue, Plan } from "./plan.ts";
import type { MatmulOp } from "./program.ts";
import type { Counts } from "./counts.ts";
import type { RowContext } from "./rows.ts";
import type { Kernel, Kernels, StageRunner } from "./runner.ts";
import { asideRows, streamsFor } from "./runner.ts";
import type { Wide } from "./wide.ts";
import { findWide, leastWideRows, runWide } from "./wide.ts";

interface Job {
  readonly matrix: PlacedMatrix;
  readonly x: PlacedValue;
  readonly y: PlacedValue;
  /** Rows that the kernels see for each row of the step; then the bytes from one of those to the next. */
  readonly parts: number;
  readonly xStride: number;
  readonly yStride: number;
  /** First row group of the part of the tensor that is used, and how many. */
  readonly firstGroup: number;
  readonly groups: number;
  /** Row groups of a piece. */
  readonly step: number;
  readonly pieces: number;
  readonly experts: number;
  readonly adapter: number | undefined;
  readonly wide: Wide | undefined;
  readonly kernels: readonly (readonly [streams: number, kernel: Kernel, rest: Kernel])[];
}

/** A piece should take some tens of microseconds: at least this many weights … */
const leastWeights = 64 * 1024;
/** … and a stage has at most this many pieces for each worker. */
const piecesPerWorker = 32;

export function matmulRunner(
  ops: readonly MatmulOp[],
  plan: Plan,
  { kernels, workers, memory, scratch }: Pick<RowContext, "kernels" | "workers" | "memory" | "scratch">,
): StageRunner {
  const matrices = ops.filter(({ adapter }) => adapter === undefined).length || 1;
  const jobs = ops.map((op) => createJob(op, plan, { kernels, workers, matrices }));
  const dense = jobs.reduce((sum, { pieces, experts }) => sum + pieces * experts, 0);
  const find = (piece: number): readonly [Job, number] => {
    let rest = piece;
    for (const job of jobs) {
      const pieces = job.pieces * job.experts;
      if (rest < pieces) return [job, rest];
      rest -= pieces;
    }
    throw new RangeError(`no piece ${piece}`);
  };
  const bytes = new Uint8Array(memory.buffer);
  const widest = Math.max(...jobs.map(({ step }) => step * rowGroup * 4));
  const deepest = Math.max(...jobs.map(({ parts }) => parts));
  const fits = jobs.every(({ experts }) => experts === 1) && widest * asideRows * deepest <= plan.scratchBytes;
  return {
    long: jobs.some(({ experts }) => experts > 1),
    pieces: () => dense,
    run(piece, counts) {
      const [job, rest] = find(piece);
      if (!runWidePiece(job, { piece: rest, scratch }, counts)) runPiece(job, rest, counts);
    },
    ...(fits && {
      aside(piece, counts) {
        const [job, rest] = find(piece);
        runPiece(job, rest, counts, { address: scratch, stride: job.step * rowGroup * 4 });
      },
      publish(piece, counts) {
        const [{ y, yStride, parts, step, groups, pieces }, rest] = find(piece);
        const first = (rest % pieces) * step;
        const length = Math.min(step, groups - first) * rowGroup * 4;
        const rows = counts.rows(y.rows) * parts;
        for (let row = 0; row < rows; row++) {
          const from = scratch + row * step * rowGroup * 4;
          bytes.copyWithin(y.address + row * yStride + first * rowGroup * 4, from, from + length);
        }
      },
    }),
  };
}

interface JobContext {
  readonly kernels: Kernels;
  readonly workers: number;
  readonly matrices: number;
}

function createJob(op: MatmulOp, plan: Plan, { kernels, workers, matrices }: JobContext): Job {
  const matrix = plan.matrices[op.weight.name];
  const x = plan.values[op.x];
  const y = plan.values[op.out];
  if (!matrix || !x || !y) throw new Error(`no place for ${op.weight.name}`);
  const { experts = 1, row = 0, n, k } = op.weight;
  const groups = Math.ceil(n / rowGroup);
  // Experts count too: a stage has no more than some thousand pieces, see `threads/control.ts`.
  const most = Math.max(1, Math.floor((piecesPerWorker * workers) / (matrices * experts)));
  const wanted = Math.max(Math.ceil(groups / most), Math.ceil(leastWeights / (k * rowGroup)));
  const step = Math.min(groups, Math.ceil(wanted / 4) * 4);
  const { parts = 1 } = y;
  return {
    matrix,
    x,
    y,
    parts,
    xStride: x.stride / parts,
    yStride: y.stride / parts,
    firstGroup: row / rowGroup,
    groups,
    step,
    pieces: Math.ceil(groups / step),
    experts,
    adapter: op.adapter,
    wide: experts === 1 && op.adapter === undefined ? findWide(matrix, plan, kernels) : undefined,
    kernels: [1, 2, 3, 4].map((tokens) => kernelsFor(matrix, tokens, kernels)),
  };
}

/** For rows of activations: how many row groups the kernel takes at once, the kernel, and one that takes a single group. */
export function kernelsFor(
  { layout, k }: Pick<PlacedMatrix, "layout" | "k">,
  tokens: number,
  kernels: Kernels,
): readonly [number, Kernel, Kernel] {
  const find = (name: string): Kernel => {
    const kernel = kernels[name];
    if (!kernel) throw new Error(`no kernel ${name}`);
    return kernel;
  };
  if (layout.kind === "float") {
    const kernel = find(floatMatmulName({ layout, k, tokens }));
    return [1, kernel, kernel];
  }
  const streams = streamsFor(layout, k, tokens);
  const name = (count: number): string =>
    layout.kind === "super"
      ? superMatmulName({ layout, k, tokens, streams: count })
      : matmulName({ layout, k, tokens, streams: count });
  return [streams, find(name(streams)), find(name(1))];
}

/** False: it is not such a job, the step is too short for it, or the piece is no pairs of row groups. */
function runWidePiece(job: Job, { piece, scratch }: { piece: number; scratch: number }, counts: Counts): boolean {
  const { matrix, wide, x, y, parts, xStride, yStride, firstGroup, groups, step } = job;
  const rows = counts.rows(y.rows) * parts;
  const first = piece * step;
  const count = Math.min(step, groups - first);
  if (!wide || rows < leastWideRows || count % 2 !== 0) return false;
  const { layout, k } = matrix;
  const w = matrix.address + (firstGroup + first) * rowGroupBytes(layout, k);
  const to = y.address + first * rowGroup * 4;
  runWide(wide, { layout, k, scratch, w, groups: count, x: x.address, xStride, y: to, yStride, rows });
  return true;
}

interface Target {
  readonly address: number;
  readonly stride: number;
}

/** Three rows take the kernels longer than four: the row before is computed once more, to the same bits. */
function tileAt(at: number, start: number, end: number): { readonly row: number; readonly tokens: number } {
  if (end - at !== 3) return { row: at, tokens: Math.min(4, end - at) };
  return at > start ? { row: at - 1, tokens: 4 } : { row: at, tokens: 2 };
}

/** Writes to the place of the results, or to another one, where the piece stands alone. */
function runPiece(job: Job, piece: number, counts: Counts, aside?: Target): void {
  const { matrix, x, y, parts, xStride, yStride, firstGroup, groups, step, pieces, experts, adapter } = job;
  if (adapter !== undefined && !counts.usesAdapter(adapter)) return;
  const first = (piece % pieces) * step;
  const count = Math.min(step, groups - first);
  const expert = Math.floor(piece / pieces);
  const start = experts > 1 ? counts.expertStart(expert) * parts : 0;
  const end = parts * (experts > 1 ? counts.expertStart(expert + 1) : counts.rows(y.rows));
  const bytes = rowGroupBytes(matrix.layout, matrix.k);
  const w = matrix.address + expert * matrix.expertBytes + (firstGroup + first) * bytes;
  for (let at = start; at < end;) {
    const { row, tokens } = tileAt(at, start, end);
    at = row + tokens;
    const chosen = job.kernels[tokens - 1];
    if (!chosen) return;
    const [streams, kernel, rest] = chosen;
    const sets = Math.floor(count / streams);
    const xAt = x.address + row * xStride;
    const stride = aside?.stride ?? yStride;
    const yAt = aside ? aside.address + row * stride : y.address + row * stride + first * rowGroup * 4;
    if (sets > 0) kernel(w, xAt, yAt, stride, sets);
    const done = sets * streams;
    if (done < count) rest(w + done * bytes, xAt, yAt + done * rowGroup * 4, stride, count - done);
  }
}
