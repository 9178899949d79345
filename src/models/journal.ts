/** What is already on disk of a file in transfer: one line about the source, then one line for each finished chunk. */
import { open, readFile, rm, type FileHandle } from "node:fs/promises";
import { fileSize } from "./store.ts";

export interface JournalHeader {
  readonly url: string;
  readonly sizeBytes: number;
  /** ETag or Last-Modified of the source: bytes of two versions are never mixed. */
  readonly validator?: string;
  readonly chunkBytes: number;
}

export interface Journal {
  readonly header: JournalHeader;
  readonly done: Set<number>;
}

export function journalPath(data: string): string {
  return `${data}.journal`;
}

/** undefined: nothing usable is there. */
export async function readJournal(data: string): Promise<Journal | undefined> {
  let text: string;
  try {
    text = await readFile(journalPath(data), "utf8");
  } catch {
    return undefined;
  }
  // A line without its end was cut by a crash.
  const [first, ...lines] = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  const header = parseHeader(first ?? "");
  if (!header || (await fileSize(data)) !== header.sizeBytes) return undefined;
  const count = chunkCount(header);
  const done = lines
    .filter((line) => /^\d+$/.test(line))
    .map(Number)
    .filter((index) => index < count);
  return { header, done: new Set(done) };
}

/** Starts a journal anew, with a data file of full size beside it. */
export async function startJournal(data: string, header: JournalHeader): Promise<Journal> {
  await dropJournal(data);
  const handle = await open(data, "w");
  try {
    await handle.truncate(header.sizeBytes);
  } finally {
    await handle.close();
  }
  const journal = await open(journalPath(data), "w");
  try {
    await journal.writeFile(`${JSON.stringify(header)}\n`);
    await journal.sync();
  } finally {
    await journal.close();
  }
  return { header, done: new Set() };
}

/** Call after the bytes of the chunk were flushed. */
export async function noteChunk(handle: FileHandle, journal: Journal, index: number): Promise<void> {
  await handle.appendFile(`${index}\n`);
  journal.done.add(index);
}

/** Forgets a transfer: data and journal. */
export async function dropJournal(data: string): Promise<void> {
  await rm(journalPath(data), { force: true });
  await rm(data, { force: true });
}

export function chunkCount({ sizeBytes, chunkBytes }: JournalHeader): number {
  return Math.ceil(sizeBytes / chunkBytes);
}

/** First byte and the byte after the last. */
export function chunkRange({ sizeBytes, chunkBytes }: JournalHeader, index: number): { start: number; end: number } {
  return { start: index * chunkBytes, end: Math.min(sizeBytes, (index + 1) * chunkBytes) };
}

export function doneBytes({ header, done }: Journal): number {
  let sum = 0;
  for (const index of done) {
    const { start, end } = chunkRange(header, index);
    sum += end - start;
  }
  return sum;
}

function parseHeader(line: string): JournalHeader | undefined {
  try {
    const { url, sizeBytes, validator, chunkBytes } = JSON.parse(line) as Partial<JournalHeader>;
    if (typeof url !== "string" || !isCount(sizeBytes) || !isCount(chunkBytes)) return undefined;
    return { url, sizeBytes, chunkBytes, ...(typeof validator === "string" && { validator }) };
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}
