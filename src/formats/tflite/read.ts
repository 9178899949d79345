import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { basename } from "node:path";
import { HearthError } from "../../error.ts";
import { malformed } from "../gguf/malformed.ts";
import type { ByteSource } from "../protobuf/source.ts";
import { readMetadata } from "./metadata.ts";
import type { TfliteMetadata } from "./metadata.ts";
import { parseTflite } from "./parse.ts";
import type { TfliteModel } from "./types.ts";

export interface TfliteFile {
  readonly model: TfliteModel;
  readonly metadata: TfliteMetadata | undefined;
}

/**
 * Reads and checks a model and what it says of itself. Throws `model_not_found`, `model_malformed` with details
 * {field, offset}, and `model_unsupported`.
 */
export function readTflite(path: string, name: string = basename(path)): TfliteFile {
  // Asked first: to open a named pipe would wait for a writer.
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new HearthError("model_not_found", `There is no file ${path}.`);
  if (!found.isFile())
    throw new HearthError("model_malformed", `${path} is not a file.`, { hint: "Name a model file." });
  const descriptor = openSync(path, "r");
  try {
    const source = fileSource(descriptor, name);
    const model = parseTflite(source, name);
    return { model, metadata: readMetadata(model, source) };
  } finally {
    closeSync(descriptor);
  }
}

function fileSource(descriptor: number, name: string): ByteSource {
  return {
    sizeBytes: fstatSync(descriptor).size,
    read(offset, target) {
      for (let done = 0; done < target.length;) {
        const count = readSync(descriptor, target, done, target.length - done, offset + done);
        if (count === 0) throw malformed({ name, field: "file", offset: offset + done }, "ends too soon");
        done += count;
      }
    },
  };
}
