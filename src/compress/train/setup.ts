/** Where everything of a training stands in memory, known before anything is read. Plain data: it goes to the threads. */
import { HearthError } from "../../error.ts";
import { formatBytes } from "../../util/format.ts";
import { createGround, mostBytes } from "./machine.ts";
import type { Ground } from "./machine.ts";
import { edgeFloats, panelFloats } from "./multiply.ts";
import type { PanelRoom } from "./multiply.ts";
import type { Parameters } from "./parameters.ts";
import type { Scratch } from "./pass.ts";
import type { Placement } from "./place.ts";
import { placeValues } from "./place.ts";
import type { Tape } from "./tape.ts";

/** What one thread has for itself. */
export interface LanePlace {
  /** Values and gradients. */
  readonly area: number;
  readonly scratch: Scratch;
  readonly panels: PanelRoom;
  /** As long as the parameters. */
  readonly gradients: number;
  /** What comes out of the narrow side of each adapter: [adapters, rows, rank]. */
  readonly inner: number;
}

export interface TrainSetup {
  readonly tape: Tape;
  readonly placement: Placement;
  readonly parameters: Parameters;
  /** Addresses of the parameters, and of their moments in the optimizer. */
  readonly parameterPlace: number;
  readonly meanPlace: number;
  readonly squarePlace: number;
  /** Addresses of frozen weights. */
  readonly weights: ReadonlyMap<string, number>;
  /** Tokens of a window, without the last, which is only a target. */
  readonly rows: number;
  readonly logitRows: number;
  readonly lanes: readonly LanePlace[];
  readonly bytes: number;
}

export interface SetupOptions {
  readonly tape: Tape;
  readonly parameters: Parameters;
  /** Numbers of each frozen tensor. */
  readonly sizes: ReadonlyMap<string, number>;
  readonly rows: number;
  readonly lanes: number;
  /** What messages call the model. */
  readonly name: string;
}

/** Throws `out_of_memory` where a memory does not hold it all. */
export function planTraining({ tape, parameters, sizes, rows, lanes, name }: SetupOptions): TrainSetup {
  const ground = createGround();
  const weights = new Map([...sizes].map(([tensor, floats]) => [tensor, ground.take(floats)]));
  const [parameterPlace = 0, meanPlace = 0, squarePlace = 0] = [0, 1, 2].map(() => ground.take(parameters.floats));
  const placement = placeValues(tape);
  const logitRows = Math.min(rows, 256);
  const shared = { tape, placement, parameters, rows, logitRows };
  const placed = Array.from({ length: lanes }, () => placeLane(ground, shared));
  const bytes = ground.end();
  if (bytes > mostBytes) throw tooLarge(name, bytes);
  return { ...shared, parameterPlace, meanPlace, squarePlace, weights, lanes: placed, bytes };
}

function tooLarge(name: string, bytes: number): HearthError {
  return new HearthError(
    "out_of_memory",
    `Training ${name} needs ${formatBytes(bytes)}; at most ${formatBytes(mostBytes)} can be used.`,
    { hint: "Take a smaller student, fewer --threads, or a smaller --window.", details: { neededBytes: bytes } },
  );
}

type Shared = Pick<TrainSetup, "tape" | "placement" | "parameters" | "rows" | "logitRows">;

function placeLane(ground: Ground, { tape, placement, parameters, rows, logitRows }: Shared): LanePlace {
  const widths = { q: 0, k: 0, vocabulary: 0 };
  for (const operation of tape.operations) {
    if (operation.kind === "logits") widths.vocabulary = operation.matrix.n;
    if (operation.kind !== "attention") continue;
    widths.q = Math.max(widths.q, operation.q.width);
    widths.k = Math.max(widths.k, operation.k.width);
  }
  const { rank, list } = parameters;
  const adapters = list.filter(({ kind }) => kind === "adapter").length;
  const widest = Math.max(...tape.values.map(({ width }) => width));
  const scratch = {
    weights: ground.take(rows * rows),
    weightGradients: ground.take(rows * rows),
    q: ground.take(rows * widths.q),
    k: ground.take(rows * widths.k),
    qGradient: ground.take(rows * widths.q),
    kGradient: ground.take(rows * widths.k),
    narrow: ground.take(rows * rank),
    wide: ground.take(rows * widest),
    logits: ground.take(logitRows * widths.vocabulary),
    row: ground.take(widths.vocabulary),
  };
  return {
    area: ground.take(rows * placement.floats),
    scratch,
    panels: { panel: ground.take(panelFloats), edge: ground.take(edgeFloats) },
    gradients: ground.take(parameters.floats),
    inner: ground.take(adapters * rows * rank),
  };
}
