/** Pictures of one loaded model as rows: encoded once for each tenant, as long as there is room for them. */
import { HearthError } from "../../../error.ts";
import type { ImageInput } from "../../../spec/media.ts";
import { abortError, raceAbort } from "../../../util/abort.ts";
import type { Vision, VisionPart } from "../vision/contract.ts";

/** What stands for a picture: text, and numbers of its rows. */
export type PicturePiece = { readonly text: string } | { readonly first: number; readonly count: number };

export interface EncodedPicture {
  readonly serial: number;
  readonly digest: string;
  readonly rows: Float32Array;
  /** Rows of a line of its first tile. */
  readonly columns: number;
  readonly pieces: readonly PicturePiece[];
}

export interface PictureEncoder {
  /** Throws `bad_request` for what is no picture, and `aborted`. */
  encode(image: ImageInput, tenant: string | undefined, signal?: AbortSignal): Promise<EncodedPicture>;
  /** Memory that it holds now. */
  readonly bytes: number;
  /** Somebody waits for a picture. */
  readonly busy: boolean;
  /** Gives its memory back; the next picture takes it again. */
  rest(): Promise<void>;
  dispose(): Promise<void>;
}

export interface PictureEncoderOptions {
  readonly open: () => Promise<Vision>;
  /** What tells the encoder from others. */
  readonly identity: string;
  /** Rows that are kept for pictures that come again. Default: `keptBytes`. */
  readonly mostBytes?: number;
}

export const keptBytes: number = 64 * 1024 ** 2;
/** Pictures whose names are remembered after their rows have gone, so that the KV cache still knows them. */
const mostNames = 65_536;

interface Job {
  readonly result: Promise<EncodedPicture>;
  readonly stop: AbortController;
  waiting: number;
}

/** Opens the encoder. Throws what `openVision` throws. */
export async function createPictureEncoder(options: PictureEncoderOptions): Promise<PictureEncoder> {
  const encoder = new Encoder(options);
  await encoder.open();
  return encoder;
}

class Encoder implements PictureEncoder {
  readonly #options: PictureEncoderOptions;
  readonly #kept = new Map<string, EncodedPicture>();
  readonly #serials = new Map<string, number>();
  readonly #jobs = new Map<string, Job>();
  #vision: Promise<Vision> | undefined;
  #visionBytes = 0;
  #keptBytes = 0;
  #nextSerial = 0;
  #disposed = false;
  #calls = 0;

  constructor(options: PictureEncoderOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#visionBytes + this.#keptBytes;
  }

  get busy(): boolean {
    return this.#calls > 0;
  }

  async open(): Promise<Vision> {
    if (this.#disposed) throw new HearthError("engine_failed", "The model was unloaded.");
    this.#vision ??= this.#options.open();
    try {
      const vision = await this.#vision;
      this.#visionBytes = vision.bytes;
      return vision;
    } catch (error) {
      this.#vision = undefined;
      throw error;
    }
  }

  async encode(image: ImageInput, tenant: string | undefined, signal?: AbortSignal): Promise<EncodedPicture> {
    this.#calls++;
    try {
      return await this.#find(image, tenant, signal);
    } finally {
      this.#calls--;
    }
  }

  async #find(image: ImageInput, tenant: string | undefined, signal?: AbortSignal): Promise<EncodedPicture> {
    if (signal?.aborted) throw abortError(signal);
    const digest = await this.#digest(image);
    // Whether somebody else has sent the same picture must not be seen from how long it takes.
    const key = JSON.stringify([tenant ?? null, digest]);
    const kept = this.#kept.get(key);
    if (kept) {
      this.#keep(key, kept);
      return kept;
    }
    const job = this.#jobs.get(key) ?? this.#start(key, digest, image);
    job.waiting++;
    try {
      return await raceAbort(job.result, signal);
    } catch (error) {
      throw signal?.aborted ? abortError(signal) : error;
    } finally {
      // Nobody wants it any more.
      if (--job.waiting === 0) job.stop.abort(new HearthError("aborted", "The picture is not needed any more."));
    }
  }

  async rest(): Promise<void> {
    const vision = this.#vision;
    this.#vision = undefined;
    this.#visionBytes = 0;
    this.#keptBytes = 0;
    this.#kept.clear();
    await (await vision?.catch(() => undefined))?.dispose();
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    await this.rest();
  }

  #start(key: string, digest: string, image: ImageInput): Job {
    const stop = new AbortController();
    const work = async (): Promise<EncodedPicture> => {
      try {
        const vision = await this.open();
        const parts = await vision.encode(image, stop.signal);
        const picture = { serial: this.#serialOf(key), digest, ...flatten(parts, vision.width) };
        this.#keep(key, picture);
        return picture;
      } finally {
        this.#jobs.delete(key);
      }
    };
    const job = { result: work(), stop, waiting: 0 };
    // Who waits for it hears of it.
    job.result.catch(() => undefined);
    this.#jobs.set(key, job);
    return job;
  }

  async #digest({ bytes }: ImageInput): Promise<string> {
    const picture = await sha256(bytes);
    return await sha256(new TextEncoder().encode(JSON.stringify([this.#options.identity, picture])));
  }

  #serialOf(key: string): number {
    const serial = this.#serials.get(key) ?? this.#nextSerial++;
    this.#serials.delete(key);
    this.#serials.set(key, serial);
    dropOldest(this.#serials, mostNames);
    return serial;
  }

  /** The last used go last. */
  #keep(key: string, picture: EncodedPicture): void {
    if (!this.#kept.delete(key)) this.#keptBytes += picture.rows.byteLength;
    this.#kept.set(key, picture);
    const { mostBytes = keptBytes } = this.#options;
    for (const [oldest, { rows }] of this.#kept) {
      if (this.#keptBytes <= mostBytes) return;
      this.#kept.delete(oldest);
      this.#keptBytes -= rows.byteLength;
    }
  }
}

function flatten(parts: readonly VisionPart[], width: number): Pick<EncodedPicture, "rows" | "columns" | "pieces"> {
  const total = parts.reduce((sum, part) => sum + ("text" in part ? 0 : part.count), 0);
  const rows = new Float32Array(new SharedArrayBuffer(total * width * 4));
  let first = 0;
  const pieces = parts.map((part): PicturePiece => {
    if ("text" in part) return part;
    rows.set(part.rows.subarray(0, part.count * width), first * width);
    const piece = { first, count: part.count };
    first += part.count;
    return piece;
  });
  const tile = parts.find((part) => "rows" in part);
  return { rows, columns: tile?.columns ?? 1, pieces };
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes.slice());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function dropOldest(map: Map<string, unknown>, most: number): void {
  const oldest = map.keys().next().value;
  if (map.size > most && oldest !== undefined) map.delete(oldest);
}
