/** Frames → the bytes of a response, at the pace of the reader. */
import { raceAbort } from "../util/abort.ts";

export interface StreamOptions {
  /** Encoded frames: text of a stream of events, or bytes of a file. */
  readonly frames: AsyncIterator<string | Uint8Array>;
  /** Ends the stream: its reason is told to the reader, if there still is one. */
  readonly signal: AbortSignal;
  /** Sent when nothing else was for `keepAliveMs`. */
  readonly keepAlive: string | undefined;
  readonly keepAliveMs: number;
  /** A reader that takes nothing for so long is cut off. */
  readonly stallMs: number;
  /** Last frame of a stream that fails; undefined: nobody is there to read it. */
  readonly onError: (error: unknown) => string | undefined;
  /** A stream that fails ends with a broken connection: what was sent must not look whole. */
  readonly breaks?: boolean;
  /** Once, however the stream ended. */
  readonly onEnd: (end: StreamEnd) => void;
}

export type StreamEnd = "complete" | "failed" | "left" | "stalled";

const quiet = Symbol("quiet");

/**
 * Nothing is produced ahead of the reader: a frame is asked for when the one before it was taken. A failure becomes a
 * frame and a normal end, since the status has long been sent.
 */
export function createStream(options: StreamOptions): ReadableStream<Uint8Array> {
  const { frames, signal, keepAlive, keepAliveMs, stallMs, onError, breaks = false } = options;
  const encoder = new TextEncoder();
  let pending: Promise<IteratorResult<string | Uint8Array>> | undefined;
  let stall: NodeJS.Timeout | undefined;
  let ended = false;

  const finish = (end: StreamEnd): void => {
    if (ended) return;
    ended = true;
    clearTimeout(stall);
    // A generator that waits inside `next` returns only after it; the signal that aborts ends that wait.
    frames.return?.().catch(() => {});
    options.onEnd(end);
  };

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(stall);
        if (ended) {
          controller.error(new Error("The reader was too slow and has been cut off."));
          return;
        }
        try {
          pending ??= frames.next();
          const result = await waitFor(pending, keepAlive === undefined ? Infinity : keepAliveMs, signal);
          if (ended) return;
          if (result !== quiet) pending = undefined;
          if (result === quiet) controller.enqueue(encoder.encode(keepAlive ?? ""));
          else if (result.done === true) {
            finish("complete");
            controller.close();
            return;
          } else controller.enqueue(typeof result.value === "string" ? encoder.encode(result.value) : result.value);
        } catch (error) {
          if (ended) return;
          pending?.catch(() => {});
          const last = onError(error);
          finish(last === undefined && (signal.aborted || !breaks) ? "left" : "failed");
          if (breaks) {
            controller.error(error);
            return;
          }
          if (last !== undefined) controller.enqueue(encoder.encode(last));
          controller.close();
          return;
        }
        stall = setTimeout(() => finish("stalled"), stallMs);
        stall.unref();
      },
      cancel() {
        finish("left");
      },
    },
    { highWaterMark: 0 },
  );
}

async function waitFor<T>(work: Promise<T>, timeoutMs: number, signal: AbortSignal): Promise<T | typeof quiet> {
  if (timeoutMs === Infinity) return await raceAbort(work, signal);
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<typeof quiet>((resolve) => {
    timer = setTimeout(() => resolve(quiet), timeoutMs);
  });
  try {
    return await raceAbort(Promise.race([work, elapsed]), signal);
  } finally {
    clearTimeout(timer);
  }
}
