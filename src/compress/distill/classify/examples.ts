/** Texts, some of them with a label. */
import { z } from "zod";
import { createRandom } from "../../../engines/flint/sampling/random.ts";
import { HearthError } from "../../../error.ts";
import type { Text } from "../../evaluate/text.ts";

export interface Example {
  readonly text: string;
  readonly label?: string;
}

const line = z.object({ text: z.string().trim().min(1), label: z.string().trim().min(1).exactOptional() });
const form = 'A line is {"text": "…", "label": "…"}, where the label may be missing; or all lines are plain text.';

/** A file whose first line begins with a brace is JSONL. Throws `bad_request` with the line. */
export function parseExamples({ name, text }: Text): readonly Example[] {
  const rows = text.split(/\r?\n/).map((row) => row.trim());
  const isJson = rows.find((row) => row !== "")?.startsWith("{") === true;
  return rows.flatMap((row, index) => {
    if (row === "") return [];
    return [isJson ? parseLine(row, `${name}:${index + 1}`) : { text: row }];
  });
}

function parseLine(row: string, place: string): Example {
  try {
    return line.parse(JSON.parse(row));
  } catch (error) {
    throw new HearthError("bad_request", `${place} is no text with a label.`, { hint: form, cause: error });
  }
}

/** The labels that a classifier gets, in their order. Throws `bad_request`. */
export function chooseLabels(examples: readonly Example[], given: readonly string[] | undefined): readonly string[] {
  const found = [...new Set(examples.flatMap(({ label }) => label ?? []))].sort();
  const labels = [...new Set(given ?? found)];
  if (labels.length < 2) {
    throw new HearthError("bad_request", `There are ${labels.length} labels; a classifier needs at least two.`, {
      hint: "Name them, --labels A,B,C, or give texts that have labels.",
      details: { field: "labels" },
    });
  }
  const unknown = found.find((label) => !labels.includes(label));
  if (unknown === undefined) return labels;
  throw new HearthError("bad_request", `A text has the label "${unknown}", which is not one of ${labels.join(", ")}.`, {
    hint: "Add it to --labels, or take the text out.",
    details: { field: "labels" },
  });
}

export interface Split {
  readonly learned: readonly Example[];
  readonly held: readonly Example[];
}

const heldPart = 5;

/** Holds a fifth of the texts of each label out. */
export function splitExamples(examples: readonly Example[], seed: number): Split {
  const order = shuffle(examples, seed).toSorted((a, b) =>
    (a.label ?? "") < (b.label ?? "") ? -1 : a.label === b.label ? 0 : 1,
  );
  return {
    learned: order.filter((_, index) => index % heldPart !== 0),
    held: order.filter((_, index) => index % heldPart === 0),
  };
}

/** Fisher-Yates, the same for the same seed. */
export function shuffle<T>(values: readonly T[], seed: number): readonly T[] {
  const random = createRandom(seed);
  const order = [...values];
  for (let left = order.length - 1; left > 0; left--) {
    const at = Math.floor(random.next() * (left + 1));
    [order[left], order[at]] = [order[at] as T, order[left] as T];
  }
  return order;
}
