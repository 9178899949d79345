/**
 * One file into the staging folder: several ranges at once, a journal of finished chunks, so that a second start
 * fetches again at most the chunks that were under way. Bytes of two versions of a source are never mixed.
 */
import { open, type FileHandle } from "node:fs/promises";
import { HearthError } from "../error.ts";
import { sleep } from "../util/abort.ts";
import type { LibraryContext } from "./context.ts";
import {
  chunkCount,
  chunkRange,
  doneBytes,
  dropJournal,
  journalPath,
  noteChunk,
  readJournal,
  startJournal,
  type Journal,
} from "./journal.ts";
import { pour, type Cursor } from "./pour.ts";
import { checkSpace, explainFull } from "./space.ts";
import { hostOf, refusal, request, type Answer } from "./sources/request.ts";

export interface RemoteFile {
  /** For messages and progress. */
  readonly label: string;
  readonly url: string;
  /** For the origin of `url` only. */
  readonly authorization?: string | undefined;
  /** What the source announced; another size is an error. */
  readonly sizeBytes?: number | undefined;
}

export interface DownloadOptions {
  /** Where the bytes go; the journal lies beside it. */
  readonly data: string;
  readonly signal: AbortSignal;
  /** For the first answer; later ones have `stallTimeoutMs`. */
  readonly answerTimeoutMs: number;
  readonly onBytes: (completedBytes: number, totalBytes: number | undefined) => void;
}

interface Transfer extends DownloadOptions {
  readonly context: LibraryContext;
  readonly remote: RemoteFile;
  /** Where the redirects led last time: asking there spares the hub. */
  readonly place: { redirected: string | undefined };
}

class SourceChanged extends Error {}

/** A failure that another try may mend. */
class Transient extends Error {
  readonly afterMs: number;
  constructor(message: string, afterMs: number = 0) {
    super(message);
    this.afterMs = afterMs;
  }
}

const maxAttempts = 5;

/** Fetches the whole file, going on where an earlier start stopped. */
export async function download(context: LibraryContext, remote: RemoteFile, options: DownloadOptions): Promise<void> {
  for (let restarts = 0; ; restarts++) {
    try {
      await attempt({ ...options, context, remote, place: { redirected: undefined } });
      return;
    } catch (error) {
      if (!(error instanceof SourceChanged)) throw await explainFull(context, error, remote.label);
      await dropJournal(options.data);
      if (restarts >= 2)
        throw new HearthError("pull_failed", `${remote.label} keeps changing at its source.`, { cause: error });
    }
  }
}

async function attempt(transfer: Transfer): Promise<void> {
  const { context, remote, data } = transfer;
  const kept = await readJournal(data);
  const journal = kept?.header.url === remote.url && sizeFits(kept.header.sizeBytes, remote) ? kept : undefined;
  if (journal && journal.done.size === chunkCount(journal.header)) {
    transfer.onBytes(journal.header.sizeBytes, journal.header.sizeBytes);
    return;
  }
  const { answer, total } = await openFirst(transfer, journal);
  if (answer.response.status === 200) {
    await fetchWhole(transfer, answer);
    return;
  }
  if (total === undefined)
    throw new HearthError("pull_failed", `${hostOf(remote.url)} does not say how big ${remote.label} is.`);
  await checkSpace(context, total - (journal ? doneBytes(journal) : 0), remote.label);
  const validator = validatorOf(answer.response);
  const header = {
    url: remote.url,
    sizeBytes: total,
    chunkBytes: context.chunkBytes,
    ...(validator !== undefined && { validator }),
  };
  await fetchRanges(transfer, journal ?? (await startJournal(data, header)), answer);
}

/** The first range that is missing: its answer tells size, version, and whether the server knows ranges. */
async function openFirst(
  transfer: Transfer,
  journal: Journal | undefined,
): Promise<{ answer: Answer; total: number | undefined }> {
  const header = journal?.header ?? {
    sizeBytes: Number.MAX_SAFE_INTEGER,
    chunkBytes: transfer.context.chunkBytes,
    url: "",
  };
  const { start, end } = chunkRange(header, journal ? firstMissing(journal) : 0);
  const answer = await withRetries(transfer, { patient: false }, async () => {
    const opened = await askRange(transfer, { start, end, first: true, validator: journal?.header.validator });
    if (opened.response.status === 416) return opened;
    return checkStatus(transfer, opened);
  });
  const { response } = answer;
  if (response.status === 206) {
    const total = contentRange(response)?.total;
    if (journal && (total !== journal.header.sizeBytes || validatorOf(response) !== journal.header.validator)) {
      answer.abort(new Error("changed"));
      throw new SourceChanged("size or version");
    }
    checkSize(transfer.remote, total);
    return { answer, total };
  }
  if (journal || response.status === 416) {
    // The whole file instead of the range: If-Range found another version.
    answer.abort(new Error("changed"));
    if (journal) throw new SourceChanged("the server sent the whole file");
    throw new HearthError("pull_failed", `${transfer.remote.label} is empty at its source.`);
  }
  return { answer, total: undefined };
}

async function fetchRanges(transfer: Transfer, journal: Journal, answer: Answer): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([transfer.signal, stop.signal]);
  const data = await open(transfer.data, "r+");
  const lines = await open(journalPath(transfer.data), "a");
  const missing = Array.from({ length: chunkCount(journal.header) }, (_, index) => index).filter(
    (index) => !journal.done.has(index),
  );
  let completed = doneBytes(journal);
  const onBytes = (bytes: number): void => {
    completed += bytes;
    transfer.onBytes(completed, journal.header.sizeBytes);
  };
  let opened: Answer | undefined = answer;
  const work = async (): Promise<void> => {
    for (let index = missing.shift(); index !== undefined; index = missing.shift()) {
      const first = opened;
      opened = undefined;
      await fetchChunk({ ...transfer, signal }, { journal, index, data, onBytes, opened: first });
      await data.datasync();
      await noteChunk(lines, journal, index);
    }
  };
  try {
    const workers = Array.from({ length: Math.max(1, transfer.context.settings.connections) }, work);
    await Promise.all(workers).catch(async (error: unknown) => {
      stop.abort(error);
      answer.abort(new Error("another range failed"));
      await Promise.allSettled(workers);
      throw error;
    });
  } finally {
    answer.abort(new Error("done"));
    await lines.close();
    await data.close();
  }
}

interface Chunk {
  readonly journal: Journal;
  readonly index: number;
  readonly data: FileHandle;
  readonly onBytes: (bytes: number) => void;
  readonly opened: Answer | undefined;
}

async function fetchChunk(transfer: Transfer, { journal, index, data, onBytes, opened }: Chunk): Promise<void> {
  const { start, end } = chunkRange(journal.header, index);
  const cursor: Cursor = { position: start, end };
  let ready = opened;
  await withRetries(transfer, { patient: true, progress: () => cursor.position }, async () => {
    const answer = ready ?? (await askNext(transfer, journal, cursor));
    ready = undefined;
    await pour(answer, { data, cursor, onBytes, stallTimeoutMs: transfer.context.stallTimeoutMs });
    if (cursor.position < end) throw new Transient("the connection ended early");
  });
}

async function askNext(transfer: Transfer, journal: Journal, cursor: Cursor): Promise<Answer> {
  const { validator, sizeBytes } = journal.header;
  const answer = await askRange(transfer, { start: cursor.position, end: cursor.end, first: false, validator });
  const { response } = answer;
  const range = contentRange(response);
  if (
    response.status === 206 &&
    range?.start === cursor.position &&
    range.total === sizeBytes &&
    validatorOf(response) === validator
  ) {
    return answer;
  }
  answer.abort(new Error("not this range"));
  if (response.status === 206 || response.status === 200 || response.status === 416)
    throw new SourceChanged("another version");
  return checkStatus(transfer, answer);
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly first: boolean;
  readonly validator: string | undefined;
}

async function askRange(transfer: Transfer, { start, end, first, validator }: Range): Promise<Answer> {
  const { context, remote, signal, place } = transfer;
  const url = place.redirected ?? remote.url;
  const answer = await request(context, {
    url,
    // A place that a redirect led to has its own credentials, in the URL.
    authorization: place.redirected === undefined ? remote.authorization : undefined,
    headers: { range: `bytes=${start}-${end - 1}`, ...(validator !== undefined && { "if-range": validator }) },
    signal,
    timeoutMs: first ? transfer.answerTimeoutMs : context.stallTimeoutMs,
  });
  if (answer.response.ok && answer.url !== remote.url) place.redirected = answer.url;
  return answer;
}

/** A server without ranges: one stream, from the start each time. */
async function fetchWhole(transfer: Transfer, first: Answer): Promise<void> {
  const { remote, context, data: path } = transfer;
  let ready: Answer | undefined = first;
  const data = await open(path, "w");
  try {
    await withRetries(transfer, { patient: true }, async () => {
      const answer: Answer =
        ready ??
        checkStatus(
          transfer,
          await request(context, { ...remote, signal: transfer.signal, timeoutMs: context.stallTimeoutMs }),
        );
      ready = undefined;
      const length = answer.response.headers.get("content-length");
      const total = length === null ? remote.sizeBytes : Number(length);
      checkSize(remote, total);
      await checkSpace(context, total ?? 0, remote.label);
      await data.truncate(0);
      const cursor: Cursor = { position: 0, end: total ?? Number.MAX_SAFE_INTEGER };
      const onBytes = (): void => {
        transfer.onBytes(cursor.position, total);
      };
      await pour(answer, { data, cursor, onBytes, stallTimeoutMs: context.stallTimeoutMs });
      if (total !== undefined && cursor.position < total) throw new Transient("the connection ended early");
    });
    await data.datasync();
  } finally {
    first.abort(new Error("done"));
    await data.close();
  }
}

interface Retries {
  /** Whether silence is worth another try. A source that never answered is given up: the next one may be there. */
  readonly patient: boolean;
  /** Progress gives the attempts back. */
  readonly progress?: () => number;
}

/** Tries again, with growing pauses, while it is the connection that fails. */
async function withRetries<T>(
  transfer: Transfer,
  { patient, progress = () => 0 }: Retries,
  work: () => Promise<T>,
): Promise<T> {
  let reached = progress();
  for (let attempts = 1; ; attempts++) {
    try {
      return await work();
    } catch (error) {
      transfer.signal.throwIfAborted();
      if (!isTransient(error) || (!patient && error instanceof HearthError)) throw error;
      if (progress() > reached) attempts = 1;
      reached = progress();
      if (attempts >= maxAttempts) throw brokenOff(transfer, error);
      const pause = transfer.context.retryDelayMs * 2 ** (attempts - 1) * (0.75 + Math.random() / 2);
      await sleep(Math.max(pause, error instanceof Transient ? error.afterMs : 0), transfer.signal);
    }
  }
}

function isTransient(error: unknown): error is Error {
  return (
    error instanceof Transient ||
    (error instanceof HearthError && error.code === "offline") ||
    error instanceof TypeError
  );
}

function brokenOff({ remote }: Transfer, error: Error): HearthError {
  if (error instanceof HearthError) return error;
  return new HearthError(
    "pull_failed",
    `The transfer of ${remote.label} from ${hostOf(remote.url)} broke off: ${error.message}.`,
    { cause: error },
  );
}

function checkStatus(transfer: Transfer, answer: Answer): Answer {
  const { response } = answer;
  if (response.status === 200 || response.status === 206) {
    const encoding = response.headers.get("content-encoding") ?? "identity";
    if (encoding === "identity") return answer;
    answer.abort(new Error("encoded"));
    throw new HearthError(
      "pull_failed",
      `${hostOf(answer.url)} sends ${transfer.remote.label} compressed (${encoding}).`,
    );
  }
  answer.abort(new Error(`status ${response.status}`));
  if (response.status >= 500 || response.status === 429 || response.status === 408) {
    throw new Transient(`status ${response.status}`, retryAfterMs(response));
  }
  if (transfer.place.redirected !== undefined) {
    // A signed URL that has expired: ask the source for a new one.
    transfer.place.redirected = undefined;
    throw new Transient(`status ${response.status}`);
  }
  throw refusal(response.status, transfer.remote.label, answer.url);
}

/** At most half a minute, whatever the server wishes. */
function retryAfterMs(response: Response): number {
  const seconds = Number(response.headers.get("retry-after") ?? 0);
  return Number.isFinite(seconds) ? Math.min(30_000, Math.max(0, seconds * 1000)) : 0;
}

function contentRange(response: Response): { start: number; total: number } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
  return match ? { start: Number(match[1]), total: Number(match[2]) } : undefined;
}

/** Only a strong ETag or a date can stand in If-Range. */
function validatorOf(response: Response): string | undefined {
  const tag = response.headers.get("etag");
  return tag !== null && !tag.startsWith("W/") ? tag : (response.headers.get("last-modified") ?? undefined);
}

function firstMissing(journal: Journal): number {
  for (let index = 0; ; index++) if (!journal.done.has(index)) return index;
}

function sizeFits(sizeBytes: number | undefined, { sizeBytes: expected }: RemoteFile): boolean {
  return expected === undefined || sizeBytes === undefined || sizeBytes === expected;
}

function checkSize(remote: RemoteFile, sizeBytes: number | undefined): void {
  if (sizeFits(sizeBytes, remote)) return;
  throw new HearthError(
    "pull_failed",
    `${remote.label} has ${sizeBytes ?? 0} bytes at its source; ${remote.sizeBytes ?? 0} were announced.`,
  );
}
