/** Computes pieces, in any thread. */
import { attend } from "./attend.ts";
import { clip, tryScalings } from "./awq-search.ts";
import { eachElement, normRows } from "./elements.ts";
import { factorize } from "./factor.ts";
import { createMachine } from "./machine.ts";
import { addGram, multiplyRows } from "./products.ts";
import { roundRows } from "./round.ts";
import type { Piece } from "./work.ts";

export function createCompute(): (piece: Piece) => void {
  const machine = createMachine();
  return (piece) => {
    switch (piece.kind) {
      case "linear":
        return multiplyRows(machine, piece);
      case "gram":
        return addGram(machine, piece);
      case "norm":
        return normRows(piece);
      case "each":
        return eachElement(piece);
      case "attention":
        return attend(machine, piece);
      case "round":
        return roundRows(machine, piece);
      case "factor":
        return factorize(machine, piece);
      case "trial":
        return tryScalings(machine, piece);
      case "clip":
        return clip(machine, piece);
    }
  };
}
