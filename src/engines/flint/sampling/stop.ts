import type { StopStep } from "../../../util/stop.ts";
import { createStopMatcher } from "../../../util/stop.ts";

/** From the bytes of tokens to text that may be shown. */
export interface TextStream {
  /** The whole characters that these bytes complete, without what may yet become a stop string. */
  push(bytes: Uint8Array | undefined): StopStep;
  /** What was held back, when the answer ended without a stop string; a part of a character becomes U+FFFD. */
  flush(): StopStep;
}

export function createTextStream(stops: readonly string[]): TextStream {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const matcher = createStopMatcher(stops);
  return {
    push: (bytes) => (bytes ? matcher.push(decoder.decode(bytes, { stream: true })) : { text: "" }),
    flush() {
      const { text, stop } = matcher.push(decoder.decode());
      return stop === undefined ? { text: text + matcher.flush() } : { text, stop };
    },
  };
}
