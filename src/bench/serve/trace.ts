/** When the tokens of an answer came. Times are those of `performance.now()`, in ms. */
import { HearthError } from "../../error.ts";
import { raceAbort } from "../../util/abort.ts";
import type { BenchRequest, Contestant } from "../measure.ts";

export interface Trace {
  readonly sentAt: number;
  /** One for each token. */
  readonly tokensAt: readonly number[];
  /** The last so many of them were counted when the answer ended. */
  readonly late: number;
}

/** Throws when the answer is shorter than was asked for: rates over it would mean nothing. */
export async function traceRequest(
  contestant: Contestant,
  request: BenchRequest,
  signal: AbortSignal | undefined,
): Promise<Trace> {
  signal?.throwIfAborted();
  const sentAt = performance.now();
  const tokensAt: number[] = [];
  let lateTokens = 0;
  const work = contestant.generate(request, (late = false) => {
    tokensAt.push(performance.now());
    if (late) lateTokens++;
  });
  await raceAbort(work, signal);
  if (tokensAt.length >= request.tokens) return { sentAt, tokensAt, late: lateTokens };
  throw new HearthError(
    "engine_failed",
    `${contestant.name} answered with ${tokensAt.length} tokens; ${request.tokens} were asked for.`,
  );
}

export function firstTokenMs({ sentAt, tokensAt }: Trace): number {
  return (tokensAt[0] ?? Number.NaN) - sentAt;
}

/** Times between the tokens of one answer, as far as they were seen to arrive. */
export function tokenGaps({ tokensAt, late }: Trace): number[] {
  const seen = tokensAt.slice(0, tokensAt.length - late);
  return seen.slice(1).map((at, index) => at - (seen[index] ?? Number.NaN));
}

/** Tokens of all answers together, per second from the first request to the last token. */
export function totalRate(traces: readonly Trace[]): number {
  const tokens = traces.reduce((count, { tokensAt }) => count + tokensAt.length, 0);
  const start = Math.min(...traces.map(({ sentAt }) => sentAt));
  const end = Math.max(...traces.map(({ tokensAt }) => tokensAt.at(-1) ?? Number.NaN));
  return (tokens * 1000) / (end - start);
}
