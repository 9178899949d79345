/** Rounds rows of a matrix to codes, each row for itself. */
import { compensate } from "./compensate.ts";
import { codeOf, groupsOf, rangeSteps } from "./grid.ts";
import type { Machine } from "./machine.ts";
import type { RoundPiece } from "./work.ts";

export function roundRows(machine: Machine, piece: RoundPiece): void {
  if (piece.compensation) compensate(machine, piece, piece.compensation);
  else roundNearest(piece);
}

function roundNearest({ weights, k, grid, coded, first, count }: RoundPiece): void {
  const last = 2 ** grid.bits - 1;
  const groups = groupsOf(k, grid);
  for (let row = first; row < first + count; row++) {
    for (let group = 0; group < groups; group++) {
      const [start, end] = [row * k + group * grid.group, row * k + Math.min(k, (group + 1) * grid.group)];
      const steps = rangeSteps({ weights, start, end }, grid);
      coded.scales[row * groups + group] = steps.scale;
      coded.zeros[row * groups + group] = steps.zero;
      for (let i = start; i < end; i++) {
        const code = codeOf(weights[i]!, steps, last);
        coded.codes[i] = code;
        coded.rounded[i] = (code - steps.zero) * steps.scale;
      }
    }
  }
}
