/**
 * A strict walker over .tgz files: regular files only, every other kind of entry is passed over and never written.
 * Names are compared, never used as paths. Format: POSIX ustar with PAX records for long names.
 */
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { pipeline } from "node:stream/promises";
import { HearthError } from "../../error.ts";

export interface TarEntry {
  /** As the archive says it, e.g. `package/model.gguf`. */
  readonly name: string;
  readonly sizeBytes: number;
}

export interface TarOptions {
  readonly signal: AbortSignal;
  /** Returns where the bytes of an entry go, or undefined to pass over it. Awaited for each piece. */
  readonly onEntry: (entry: TarEntry) => ((bytes: Buffer) => Promise<void>) | undefined;
}

const block = 512;

/** Throws `pull_failed` for an archive that is cut or malformed. */
export async function walkTarball(path: string, { signal, onEntry }: TarOptions): Promise<void> {
  const walker = createWalker(onEntry);
  try {
    await pipeline(
      createReadStream(path, { highWaterMark: 1024 * 1024 }),
      createGunzip({ chunkSize: 1024 * 1024 }),
      async (source: AsyncIterable<Buffer>) => {
        for await (const chunk of source) await walker.push(chunk);
      },
      { signal },
    );
  } catch (error) {
    if (error instanceof Error && "code" in error && String(error.code).startsWith("Z_"))
      throw broken("it is not gzip", error);
    throw error;
  }
  walker.end();
}

interface Walker {
  push(chunk: Buffer): Promise<void>;
  end(): void;
}

function createWalker(onEntry: TarOptions["onEntry"]): Walker {
  let header = Buffer.alloc(0);
  let remaining = 0;
  let padding = 0;
  let sink: ((bytes: Buffer) => Promise<void>) | undefined;
  let longName: string | undefined;
  const state = { ended: false };

  const begin = (bytes: Buffer): void => {
    if (bytes.every((byte) => byte === 0)) {
      state.ended = true;
      return;
    }
    const { name, sizeBytes, type } = parseHeader(bytes);
    remaining = sizeBytes;
    padding = (block - (sizeBytes % block)) % block;
    if (type === "x" || type === "L") {
      sink = collectName(sizeBytes, type, (found) => {
        longName = found;
      });
      return;
    }
    sink = type === "0" || type === "\0" ? onEntry({ name: longName ?? name, sizeBytes }) : undefined;
    if (type !== "g") longName = undefined;
  };

  return {
    async push(chunk) {
      for (let rest = chunk; rest.length > 0 && !state.ended;) {
        if (remaining > 0) {
          const piece = rest.subarray(0, remaining);
          await sink?.(piece);
          remaining -= piece.length;
          rest = rest.subarray(piece.length);
        } else if (padding > 0) {
          const skipped = Math.min(padding, rest.length);
          padding -= skipped;
          rest = rest.subarray(skipped);
        } else {
          const piece = rest.subarray(0, block - header.length);
          header = Buffer.concat([header, piece]);
          rest = rest.subarray(piece.length);
          if (header.length === block) {
            begin(header);
            header = Buffer.alloc(0);
          }
        }
      }
    },
    end() {
      if (remaining > 0 || header.length > 0) throw broken("it ends too early");
    },
  };
}

function parseHeader(bytes: Buffer): { name: string; sizeBytes: number; type: string } {
  const stored = octal(bytes.subarray(148, 156));
  const sum = bytes.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0);
  if (stored !== sum) throw broken("an entry has a wrong checksum");
  const sizeBytes = octal(bytes.subarray(124, 136));
  if (sizeBytes === undefined) throw broken("an entry has no valid size");
  const prefix = bytes.subarray(257, 262).toString("latin1") === "ustar" ? text(bytes.subarray(345, 500)) : "";
  const name = text(bytes.subarray(0, 100));
  return { name: prefix === "" ? name : `${prefix}/${name}`, sizeBytes, type: String.fromCharCode(bytes[156] ?? 0) };
}

/** Octal digits, or the binary form for sizes over 8 GiB. */
function octal(bytes: Buffer): number | undefined {
  if (((bytes[0] ?? 0) & 0x80) !== 0) {
    const value = Number(BigInt(`0x${bytes.toString("hex")}`) & ((1n << 88n) - 1n));
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const digits = text(bytes).trim();
  return /^[0-7]{1,12}$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

function text(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end < 0 ? bytes.length : end).toString("utf8");
}

/** The name of the next entry, from a PAX record or a GNU long name. */
function collectName(
  sizeBytes: number,
  type: string,
  onName: (name: string | undefined) => void,
): (bytes: Buffer) => Promise<void> {
  if (sizeBytes > 64 * 1024) throw broken("a name is longer than 64 KiB");
  let all = Buffer.alloc(0);
  return async (bytes) => {
    all = Buffer.concat([all, bytes]);
    if (all.length < sizeBytes) return;
    if (type === "L") onName(text(all));
    else {
      if (/(^|\n)\d+ size=/.test(all.toString("utf8"))) throw broken("an entry overrides its own size");
      onName(/(?:^|\n)\d+ path=([^\n]*)\n/.exec(all.toString("utf8"))?.[1]);
    }
    await Promise.resolve();
  };
}

function broken(why: string, cause?: unknown): HearthError {
  return new HearthError("pull_failed", `The package archive is malformed: ${why}.`, { cause });
}
