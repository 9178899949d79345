/** `hearth transcribe --live`: sound from a pipe or a microphone, and its text as it comes. */
import { badSound } from "../../formats/audio/fault.ts";
import { createLiveSound } from "../../formats/audio/live.ts";
import type { TranscribeResult, TranscriptSegment } from "../../spec/perform.ts";
import type { Output } from "../../terminal/io.ts";
import { plain } from "../../terminal/style.ts";
import { raceAbort } from "../../util/abort.ts";
import type { Heard, ListenOptions } from "./listen.ts";
import { createListener, listenRate } from "./listen.ts";

export interface LiveOptions extends ListenOptions {
  readonly bytes: AsyncIterable<Uint8Array | string>;
  /** Samples a second, where the bytes have no header. */
  readonly rawRate: number;
  /** Ends the sound; what was said until then is still written down. */
  readonly signal: AbortSignal;
}

/** Resolves when the sound has ended and all of it was heard. */
export async function transcribeLive({ bytes, rawRate, signal, hear, onText }: LiveOptions): Promise<TranscribeResult> {
  const segments: TranscriptSegment[] = [];
  const listener = createListener({
    hear,
    onText(heard) {
      const { settled, ...segment } = heard;
      if (settled) segments.push(segment);
      onText(heard);
    },
  });
  const sound = createLiveSound({ sampleRate: listenRate, rawRate });
  const read = async (): Promise<void> => {
    for await (const piece of bytes) listener.push(sound.push(Buffer.from(piece)));
    listener.push(sound.flush());
  };
  try {
    await raceAbort(Promise.race([read(), listener.done]), signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    listener.end();
    // Told below, where nothing else went wrong before.
    listener.done.catch(() => {});
  }
  const seconds = await listener.done;
  if (seconds === 0 && !signal.aborted) throw badSound("The sound is empty: it has no samples.");
  return { text: segments.map(({ text }) => text).join(" "), seconds, segments };
}

/** Shows text as it comes: on a terminal the last line changes until it is settled, elsewhere only settled text is written. */
export function createLivePrinter(stdout: Output, json: boolean): (heard: Heard) => void {
  if (json) {
    return ({ settled, ...segment }) =>
      void stdout.write(`${JSON.stringify({ type: settled ? "final" : "partial", ...segment })}\n`);
  }
  const isTerminal = stdout.isTTY === true;
  return ({ text, settled }) => {
    if (isTerminal) stdout.write("\r\u001b[2K");
    if (settled) stdout.write(`${plain(text)}\n`);
    else if (isTerminal) stdout.write(lastColumns(plain(text), (stdout.columns ?? 80) - 1));
  };
}

/** What was said last is what one looks at. */
function lastColumns(text: string, columns: number): string {
  const letters = Array.from(text);
  return letters.length <= columns ? text : `…${letters.slice(1 - columns).join("")}`;
}
