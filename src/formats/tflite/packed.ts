import { memorySource } from "../protobuf/source.ts";
import { readMetadata } from "./metadata.ts";
import { parseTflite } from "./parse.ts";
import type { TfliteFile } from "./read.ts";
import { HearthError } from "../../error.ts";

export interface PackedTflite extends TfliteFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** `TFL3`. */
const mark = [0x54, 0x46, 0x4c, 0x33];
/** Before the mark is the place of the root. */
const markAt = 4;

/**
 * Models in a file that holds several things one after another, as MediaPipe's packages for browsers have one
 * (`*_packed_assets.data`). What looks like a model and is none is passed over.
 */
export function readPacked(bytes: Uint8Array<ArrayBuffer>, name: string): PackedTflite[] {
  const starts: number[] = [];
  for (let at = bytes.indexOf(mark[0] ?? 0); at >= 0; at = bytes.indexOf(mark[0] ?? 0, at + 1)) {
    if (at >= markAt && mark.every((letter, index) => bytes[at + index] === letter)) starts.push(at - markAt);
  }
  return starts.flatMap((start, index) => {
    const part = bytes.slice(start, starts[index + 1] ?? bytes.length);
    try {
      const source = memorySource(part);
      const model = parseTflite(source, name);
      return [{ model, metadata: readMetadata(model, source), bytes: part }];
    } catch (error) {
      if (error instanceof HearthError) return [];
      throw error;
    }
  });
}
