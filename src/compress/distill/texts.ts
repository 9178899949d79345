/** The windows that a student learns from, and those that it is measured with. */
import type { Study } from "../../engines/flint/study.ts";
import { HearthError } from "../../error.ts";
import type { Text } from "../evaluate/text.ts";
import { cutWindows } from "../evaluate/text.ts";

export type Window = readonly number[];

export interface Windows {
  readonly learned: readonly Window[];
  readonly held: readonly Window[];
  /** What the text is called that `held` is from. */
  readonly heldName: string;
}

export interface WindowsOptions {
  readonly text: Text;
  readonly heldOut: Text | undefined;
  /** Tokens of a window without its last one, which is a target only. */
  readonly rows: number;
  /** As many as are used at most. */
  readonly most: number;
  readonly leastLearned: number;
}

/** Tokens of the held-out text, spread over all of it: a part of those that are learned from, since it is computed often. */
const mostHeld = 8192;
const leastHeld = 1024;
const heldPart = 1 / 10;

/** Throws `bad_request` for texts that are too short. */
export function planWindows(study: Pick<Study, "tokenizer">, options: WindowsOptions): Windows {
  const { text, heldOut, rows, most, leastLearned } = options;
  const size = rows + 1;
  const all = cutWindows(text.text, study, { size, most: Infinity });
  const own = heldOut === undefined ? Math.ceil(all.length / 10) : 0;
  const others = heldOut && cutWindows(heldOut.text, study, { size, most: Infinity });
  const learned = spread(all.slice(0, all.length - own), most);
  const tokens = Math.min(mostHeld, Math.max(leastHeld, learned.length * rows * heldPart));
  const held = spread(others ?? all.slice(all.length - own), Math.ceil(tokens / rows));
  if (learned.length < leastLearned) throw tooShort(text, learned.length * rows, leastLearned * rows);
  if (held.length * rows < leastHeld) throw tooShort(heldOut ?? text, held.length * rows, leastHeld);
  return { learned, held, heldName: heldOut?.name ?? `the last tenth of ${text.name}` };
}

function spread(windows: readonly Window[], most: number): readonly Window[] {
  if (windows.length <= most) return windows;
  return Array.from({ length: most }, (_, index) => windows[Math.floor((index * windows.length) / most)] ?? []);
}

function tooShort({ name }: Text, tokens: number, least: number): HearthError {
  return new HearthError("bad_request", `${name} gives ${tokens} tokens for this; at least ${least} are needed.`, {
    hint: "Take a longer text, of the kind that the model will be used for. 100,000 tokens are good.",
    details: { tokens },
  });
}
