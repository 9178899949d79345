/** What one piece of text may show, and the stop string that ended the text, if one did. */
export interface StopStep {
  readonly text: string;
  readonly stop?: string;
}

export interface StopMatcher {
  /** Takes the next piece. After a step with `stop` the matcher is done. */
  push(piece: string): StopStep;
  /** What was held back, when the text ended without a stop string. */
  flush(): string;
}

/**
 * Finds the first stop string in a text that arrives in pieces. Holds back only what may still become a stop string,
 * so no part of one is ever shown. How the text is cut into pieces changes nothing: the string that is complete first
 * wins, the longest of several that end at one place.
 */
export function createStopMatcher(stops: readonly string[]): StopMatcher {
  const wanted = stops.filter((stop) => stop !== "");
  let held = "";
  return {
    push(piece) {
      if (wanted.length === 0) return { text: piece };
      const text = held + piece;
      const found = firstStop(text, wanted);
      if (found) {
        held = "";
        return { text: text.slice(0, found.start), stop: found.stop };
      }
      const keep = openLength(text, wanted);
      held = text.slice(text.length - keep);
      return { text: text.slice(0, text.length - keep) };
    },
    flush() {
      const rest = held;
      held = "";
      return rest;
    },
  };
}

function firstStop(text: string, stops: readonly string[]): { start: number; stop: string } | undefined {
  let best: { start: number; end: number; stop: string } | undefined;
  for (const stop of stops) {
    const start = text.indexOf(stop);
    if (start < 0) continue;
    const end = start + stop.length;
    if (!best || end < best.end || (end === best.end && start < best.start)) best = { start, end, stop };
  }
  return best;
}

/** Length of the longest end of `text` that begins one of the stop strings. */
function openLength(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
      if (stop.startsWith(text.slice(text.length - length))) {
        longest = length;
        break;
      }
    }
  }
  return longest;
}
