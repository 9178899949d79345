/**
 * AAC in MP4 (M4A), as phones record it, → the same frames as an ADTS stream. Only the tables are held; frames are read
 * from where they lie.
 */
import type { ByteSource } from "../../protobuf/source.ts";
import { badSound } from "../fault.ts";
import type { Box } from "./boxes.ts";
import { boxes, damaged, find, table, text, view } from "./boxes.ts";
import { adtsHeader, convert, headerBytes, mostFrameBytes, readConfig } from "./config.ts";

/** Days of sound. */
const mostFrames = 16 * 1024 ** 2;
/** Bytes of frames that are handed out at a time. */
const pieceBytes = 64 * 1024;

/** Throws `bad_request` for files that are damaged, or hold no AAC. */
export function* mp4Frames(source: ByteSource): Generator<Uint8Array> {
  const movie = find(source, { type: "", start: 0, end: source.sizeBytes }, "moov");
  if (!movie) throw damaged("it has no box `moov`; a recording that was cut off lacks it");
  if (find(source, movie, "mvex")) throw badSound("The MP4 file is in fragments, which are not read.", convert);
  const tables = soundTables(source, movie);
  const description = find(source, tables, "stsd");
  if (!description) throw damaged("its sound has no box `stsd`");
  const config = readConfig(source, description);
  let held: Uint8Array[] = [];
  let count = 0;
  for (const { offset, size } of frames(source, tables)) {
    const frame = new Uint8Array(headerBytes + size);
    frame.set(adtsHeader(config, size));
    source.read(offset, frame.subarray(headerBytes));
    held.push(frame);
    count += frame.length;
    if (count < pieceBytes) continue;
    yield join(held, count);
    [held, count] = [[], 0];
  }
  if (count > 0) yield join(held, count);
}

/** The box `stbl` of the first track of sound. */
function soundTables(source: ByteSource, movie: Box): Box {
  for (const track of boxes(source, movie)) {
    const media = track.type === "trak" ? find(source, track, "mdia") : undefined;
    const handler = media && find(source, media, "hdlr");
    if (!media || !handler || handler.end - handler.start < 12) continue;
    if (text(view(source, handler.start + 8, 4), 0) !== "soun") continue;
    const info = find(source, media, "minf");
    const tables = info && find(source, info, "stbl");
    if (tables) return tables;
  }
  throw badSound("The MP4 file has no track of sound.");
}

interface Frame {
  readonly offset: number;
  readonly size: number;
}

/** Where the frames lie: chunks, the runs of chunks with as many frames, and the size of each frame. */
function* frames(source: ByteSource, tables: Box): Generator<Frame> {
  const runs = table(source, tables, { type: "stsc", width: 12 });
  const wide = find(source, tables, "co64") !== undefined;
  const chunks = table(source, tables, { type: wide ? "co64" : "stco", width: wide ? 8 : 4 });
  const sizeOf = frameSizes(source, tables);
  let left = source.sizeBytes;
  let frame = 0;
  let run = 0;
  for (let chunk = 0; chunk < chunks.count; chunk++) {
    while (run + 1 < runs.count && runs.view.getUint32((run + 1) * 12) <= chunk + 1) run++;
    const inChunk = runs.count === 0 ? 0 : runs.view.getUint32(run * 12 + 4);
    let offset = wide ? Number(chunks.view.getBigUint64(chunk * 8)) : chunks.view.getUint32(chunk * 4);
    for (let index = 0; index < inChunk && frame < sizeOf.count; index++, frame++) {
      const size = sizeOf.at(frame);
      if (size > mostFrameBytes) throw damaged(`its frame ${frame} has ${size} bytes; ${mostFrameBytes} can be`);
      left -= size;
      // Frames that lie upon each other: a small file would become days of sound.
      if (left < 0) throw damaged("its frames take more bytes than it has");
      if (offset + size > source.sizeBytes) throw damaged(`its frame ${frame} lies behind its end; it may be cut off`);
      if (size > 0) yield { offset, size };
      offset += size;
    }
  }
  if (frame < sizeOf.count) throw damaged(`it has places for ${frame} of its ${sizeOf.count} frames`);
}

interface Sizes {
  readonly count: number;
  readonly at: (frame: number) => number;
}

function frameSizes(source: ByteSource, tables: Box): Sizes {
  const box = find(source, tables, "stsz");
  if (!box || box.end - box.start < 12) throw damaged("its sound has no box `stsz`");
  const head = view(source, box.start, 12);
  const [same, count] = [head.getUint32(4), head.getUint32(8)];
  if (count > mostFrames) throw damaged(`it has ${count} frames; ${mostFrames} can be`);
  if (same > 0) return { count, at: () => same };
  if (box.start + 12 + count * 4 > box.end) throw damaged("its box `stsz` is too short");
  const sizes = view(source, box.start + 12, count * 4);
  return { count, at: (frame) => sizes.getUint32(frame * 4) };
}

function join(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    joined.set(piece, offset);
    offset += piece.length;
  }
  return joined;
}
