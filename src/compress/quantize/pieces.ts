/** The work of a thread: pieces of tensors, taken in turn. */
import type { QuantizeMachine, WritableType } from "../../engines/flint/weights/quantize/machine.ts";
import { createQuantizeMachine } from "../../engines/flint/weights/quantize/machine.ts";
import { HearthError } from "../../error.ts";
import { ggmlType, tensorBytes } from "../../formats/gguf/ggml.ts";
import type { GgmlTypeName } from "../../formats/gguf/ggml.ts";
import { printable } from "../../formats/gguf/malformed.ts";
import type { WeightData } from "../source.ts";
import type { TensorJob } from "./plan.ts";
import { cells } from "./progress.ts";

/** Rows of one matrix. */
export interface Piece {
  readonly job: TensorJob;
  readonly expert: number;
  readonly first: number;
  readonly rows: number;
}

/** Weights of a piece: as float32 they stay in the second cache. */
const pieceWeights = 128 * 1024;

export function piecesOf(jobs: readonly TensorJob[]): Piece[] {
  return jobs.flatMap((job) => {
    const step = Math.max(1, Math.floor(pieceWeights / job.k));
    const pieces: Piece[] = [];
    for (let expert = 0; expert < job.experts; expert++) {
      for (let first = 0; first < job.rows; first += step) {
        pieces.push({ job, expert, first, rows: Math.min(step, job.rows - first) });
      }
    }
    return pieces;
  });
}

/** Weights that the largest piece has. */
export function mostWeights(jobs: readonly TensorJob[]): number {
  return Math.max(pieceWeights, ...jobs.map(({ k }) => k));
}

export interface PieceWork {
  readonly jobs: readonly TensorJob[];
  /** See `quantizeModule`. */
  readonly module?: WebAssembly.Module | undefined;
  /** Int32: see `cells`. */
  readonly progress: SharedArrayBuffer;
  readonly data: WeightData;
  /** Writes bytes at a place of the output. */
  readonly write: (offset: number, bytes: Uint8Array) => void;
}

/** Takes pieces until none is left, or somebody stopped the work. Throws `model_malformed` for weights that are not finite. */
export function runPieces({ jobs, module, progress, data, write }: PieceWork): void {
  const counts = new Int32Array(progress);
  const pieces = piecesOf(jobs);
  const machine = createQuantizeMachine(mostWeights(jobs), module);
  const out = new Uint8Array(machine.capacity * 4);
  for (;;) {
    const piece = pieces[Atomics.add(counts, cells.next, 1)];
    if (!piece || Atomics.load(counts, cells.stop) !== 0) return;
    runPiece(piece, { machine, out, data, write });
    Atomics.add(counts, cells.done, Math.round((piece.rows * piece.job.k) / 1000));
  }
}

interface PieceContext extends Pick<PieceWork, "data" | "write"> {
  readonly machine: QuantizeMachine;
  readonly out: Uint8Array;
}

function runPiece({ job, expert, first, rows }: Piece, { machine, out, data, write }: PieceContext): void {
  const { name, from, to, k, importance } = job;
  const row = expert * job.rows + first;
  const count = rows * k;
  const source = machine.source.subarray(0, bytesOf(from, count));
  data.read(job.source + bytesOf(from, row * k), source);
  const target = job.target + bytesOf(to, row * k);
  if (from === to) return write(target, source);
  const bytes = out.subarray(0, bytesOf(to, count));
  try {
    machine.load(from, count);
    machine.write(
      { type: to as WritableType, k, importance: importance?.subarray(expert * k, (expert + 1) * k) },
      count,
      bytes,
    );
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new HearthError("model_malformed", `Tensor ${printable(name)} ${error.message}.`, {
      hint: "The weights are damaged: fetch or convert the model again.",
      details: { field: printable(name) },
      cause: error,
    });
  }
  write(target, bytes);
}

function bytesOf(type: GgmlTypeName, weights: number): number {
  return tensorBytes(ggmlType(type), [weights]);
}
