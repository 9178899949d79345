/** What a model with classes of its own says to a request that brings labels. */
import { HearthError } from "../../error.ts";

interface Words {
  readonly labels?: readonly string[] | undefined;
  /** A sentence that a label stands in. */
  readonly hypothesis?: string | undefined;
}

/** Throws `bad_request` where there are labels, or a sentence for them; `instead` says which models take them. */
export function refuseLabels({ labels, hypothesis }: Words, instead: string): void {
  if (labels === undefined && hypothesis === undefined) return;
  const field = labels === undefined ? "hypothesis" : "labels";
  throw new HearthError("bad_request", "This model has labels of its own and takes no others.", {
    hint: `Leave ${field} out, or take ${instead}.`,
    details: { field },
  });
}

/** Throws `bad_request` where a model that compares its input with labels gets none. */
export function needLabels({ labels }: Words, input: string): readonly string[] {
  if (labels && labels.length > 0) return labels;
  throw new HearthError("bad_request", `This model compares ${input} with labels; there are none.`, {
    hint: "Send `labels`.",
    details: { field: "labels" },
  });
}
