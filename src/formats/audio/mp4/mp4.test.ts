import { describe, expect, test } from "vitest";
import { memorySource } from "../../protobuf/source.ts";
import { parseConfig } from "./config.ts";
import { mp4Frames } from "./frames.ts";

/** Numbers are 32 bits; texts and bytes stand as they are. */
type Part = number | string | Uint8Array;

function join(...parts: readonly Part[]): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === "string") return Buffer.from(part, "latin1");
      if (typeof part !== "number") return Buffer.from(part);
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(part);
      return bytes;
    }),
  );
}

function box(type: string, ...parts: readonly Part[]): Buffer {
  const content = join(...parts);
  return join(content.length + 8, type, content);
}

const lowComplexity = Uint8Array.of(0x12, 0x10); // 44.1 kHz, two channels

function esds(config: Uint8Array): Buffer {
  const info = join(Uint8Array.of(5, 0x80, 0x80, 0x80, config.length), config);
  const decoder = join(Uint8Array.of(4, 13 + info.length, 0x40, 0x15), new Uint8Array(11), info);
  return box("esds", 0, Uint8Array.of(3, 3 + decoder.length, 0, 1, 0), decoder);
}

interface Movie {
  readonly sizes?: readonly number[];
  /** Frames of each chunk. */
  readonly chunks?: readonly number[];
  readonly handler?: string;
  readonly entry?: string;
  readonly config?: Uint8Array;
  readonly wide?: boolean;
  readonly count?: number;
  readonly more?: Buffer;
}

/** An MP4 file whose frame `i` has the bytes `i + 1`; the tables come first or last. */
function movie(parts: Movie = {}, tablesFirst = false): Uint8Array {
  const { sizes = [3, 5, 4, 2, 6], chunks = [2, 2, 1], handler = "soun", entry = "mp4a", wide = false } = parts;
  const data = join(...sizes.map((size, index) => new Uint8Array(size).fill(index + 1)));
  const make = (from: number): Buffer => {
    let [frame, offset] = [0, from];
    const places = chunks.map((count) => {
      const place = offset;
      for (let index = 0; index < count; index++) offset += sizes[frame++] ?? 0;
      return place;
    });
    const runs = chunks.flatMap((count, index) => [index + 1, count, 1]);
    const description = box(
      entry,
      new Uint8Array(28),
      parts.config?.length === 0 ? "" : esds(parts.config ?? lowComplexity),
    );
    const tables = box(
      "stbl",
      box("stsd", 0, 1, description),
      box("stsz", 0, 0, parts.count ?? sizes.length, ...sizes),
      box("stsc", 0, chunks.length, ...runs),
      wide ? box("co64", 0, places.length, ...places.flatMap((place) => [0, place])) : box("stco", 0, places.length, ...places),
    );
    const track = (kind: string): Buffer =>
      box("trak", box("mdia", box("hdlr", 0, 0, kind, new Uint8Array(12)), box("minf", tables)));
    return box("moov", box("mvhd", new Uint8Array(100)), track("vide"), track(handler), parts.more ?? "");
  };
  const type = box("ftyp", "M4A ", 0);
  if (!tablesFirst) return join(type, box("mdat", data), make(type.length + 8));
  return join(type, make(type.length + make(0).length + 8), box("mdat", data));
}

function framesOf(file: Uint8Array): number[][] {
  const bytes = Buffer.concat([...mp4Frames(memorySource(file))]);
  const found: number[][] = [];
  for (let at = 0; at < bytes.length;) {
    expect(bytes.readUInt16BE(at)).toBe(0xfff1);
    const length = (bytes.readUIntBE(at + 3, 3) >> 5) & 0x1fff;
    found.push([...bytes.subarray(at + 7, at + length)]);
    at += length;
  }
  return found;
}

function problem(file: Uint8Array): string {
  try {
    for (const _ of mp4Frames(memorySource(file)));
    return "accepted";
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
}

describe("AAC in an MP4 file", () => {
  const whole = [3, 5, 4, 2, 6].map((size, index) => Array<number>(size).fill(index + 1));

  test("comes out frame by frame, wherever its tables are", () => {
    expect(framesOf(movie())).toEqual(whole);
    expect(framesOf(movie({}, true))).toEqual(whole);
    expect(framesOf(movie({ wide: true }))).toEqual(whole);
    expect(framesOf(movie({ chunks: [1, 1, 1, 1, 1] }))).toEqual(whole);
    expect(framesOf(movie({ chunks: [5] }))).toEqual(whole);
  });

  test("has its form in the header of each frame", () => {
    const [first = new Uint8Array(0)] = [...mp4Frames(memorySource(movie()))];
    // AAC-LC, the rate 4 of the table, two channels, 10 bytes.
    expect([...first.subarray(0, 7)]).toEqual([0xff, 0xf1, 0x50, 0x80, 0x01, 0x5f, 0xfc]);
  });

  test("with layers is read without them", () => {
    expect(parseConfig(lowComplexity)).toEqual({ profile: 1, rateIndex: 4, channels: 2 });
    // HE-AAC: type 5, 22.05 kHz (7), one channel, extended to 44.1 kHz (4), over type 2.
    expect(parseConfig(Uint8Array.of(0x2b, 0x8a, 0x08))).toEqual({ profile: 1, rateIndex: 7, channels: 1 });
  });

  test.each([
    ["no sound", movie({ handler: "vide" }), /no track of sound/],
    ["ALAC", movie({ entry: "alac" }), /is ALAC; AAC is read/],
    ["no configuration", movie({ config: new Uint8Array(0) }), /no box `esds`/],
    ["another type of AAC", movie({ config: Uint8Array.of(0x0a, 0x10) }), /AAC of the type 1/],
    ["fragments", movie({ more: box("mvex") }), /in fragments/],
    ["too few places", movie({ chunks: [2] }), /places for 2 of its 5 frames/],
    ["a count that its table has not", movie({ count: 100_000 }), /`stsz` is too short/],
    ["a million frames in no bytes", movie({ count: 2 ** 31 }), /2147483648 frames/],
    ["no tables", box("ftyp", "M4A ", 0), /no box `moov`/],
    ["a box larger than the file", join(box("ftyp", "M4A ", 0), 1000, "mdat"), /"mdat" has 1000 bytes/],
    ["a frame that is too large", movie({ sizes: [9000], chunks: [1] }), /frame 0 has 9000 bytes/],
  ])("with %s is refused", (_, file, message) => {
    expect(problem(file)).toMatch(message);
    expect(problem(file)).toMatch(/^bad_request: /);
  });

  test("that is cut off or damaged anywhere is read or refused, never a crash", () => {
    const file = movie();
    const outcomes = new Set<string>();
    for (let length = 0; length < file.length; length++) outcomes.add(problem(file.subarray(0, length)).slice(0, 12));
    for (let at = 0; at < file.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const damaged = Uint8Array.from(file);
        damaged[at] = value;
        outcomes.add(problem(damaged).slice(0, 12));
      }
    }
    expect([...outcomes].toSorted()).toEqual(["accepted", "bad_request:"]);
  });
});
