import type { Progress } from "../spec/model.ts";
import type { Text } from "./evaluate/text.ts";

/** How far a text is computed. */
export function measured({ name, text }: Text, part: number): Progress {
  return {
    phase: "measure",
    label: name,
    completedBytes: Math.round(text.length * part),
    totalBytes: text.length,
  };
}
