/** Where factors of the columns of matrices go: into the step that makes what enters them. */
import type { LinearStep, Step, Trace } from "./trace.ts";

export interface Fold {
  /** A norm of whole rows, or a matrix of as many rows as the value is wide. */
  readonly step: Extract<Step, { kind: "norm" }> | LinearStep;
}

/** Undefined: there is none that would change nothing else. */
export function findFold(trace: Trace, steps: readonly Step[], members: readonly LinearStep[]): Fold | undefined {
  const [input] = members[0]?.inputs ?? [];
  const made = steps.find(({ out }) => out.id === input?.id);
  if (!made || usesOf(trace, made) !== members.length) return undefined;
  switch (made.kind) {
    case "norm":
      return made.options.weight?.length === made.out.width ? { step: made } : undefined;
    case "gated":
      return matrixBehind(trace, steps, made.inputs[1]?.id);
    case "attention":
      // Keys that several heads share would need factors that are the same for all of these.
      return made.options.heads === made.options.keyHeads ? matrixBehind(trace, steps, made.inputs[2]?.id) : undefined;
    default:
      return undefined;
  }
}

function matrixBehind(trace: Trace, steps: readonly Step[], id: number | undefined): Fold | undefined {
  const step = steps.find(({ out }) => out.id === id);
  if (step?.kind !== "linear" || usesOf(trace, step) !== 1) return undefined;
  // Biases of fused matrices are left as they are.
  return step.bias?.start === undefined ? { step } : undefined;
}

function usesOf({ layers }: Trace, { out }: Step): number {
  return layers.flat().reduce((sum, { inputs }) => sum + inputs.filter(({ id }) => id === out.id).length, 0);
}
