import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { basename } from "node:path";
import { HearthError } from "../../error.ts";
import { headerLength, parseSafetensors } from "./parse.ts";
import type { SafetensorsFile } from "./types.ts";

/** A file whose header was accepted, open to be read from. Reading is synchronous: engines load in threads of their own. */
export interface OpenSafetensors {
  readonly file: SafetensorsFile;
  /** Fills `target` with bytes of the file. Throws `model_malformed` where it ends before. */
  readonly read: (offset: number, target: Uint8Array) => void;
  readonly close: () => void;
}

/** Throws `model_not_found` where there is no such file, else what `parseSafetensors` throws. */
export function openSafetensors(path: string, name: string = basename(path)): OpenSafetensors {
  const descriptor = open(path, name);
  const read = (offset: number, target: Uint8Array): void => readFully({ descriptor, name }, offset, target);
  try {
    const { size: fileBytes } = fstatSync(descriptor);
    const start = new Uint8Array(8);
    if (fileBytes >= 8) read(0, start);
    const header = new Uint8Array(headerLength(start, { name, fileBytes }));
    read(8, header);
    const file = parseSafetensors(header, { name, fileBytes });
    return { file, read, close: () => closeSync(descriptor) };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** Checks a header and reads no data. */
export function readSafetensors(path: string, name?: string): SafetensorsFile {
  const opened = openSafetensors(path, name);
  opened.close();
  return opened.file;
}

function open(path: string, name: string): number {
  // Asked first: to open a named pipe would wait for a writer.
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new HearthError("model_not_found", `There is no file ${name}.`);
  if (!found.isFile()) {
    throw new HearthError("model_malformed", `${name} is not a file.`, { hint: "Name a model file." });
  }
  return openSync(path, "r");
}

interface Source {
  readonly descriptor: number;
  readonly name: string;
}

function readFully({ descriptor, name }: Source, offset: number, target: Uint8Array): void {
  for (let done = 0; done < target.length;) {
    const count = readSync(descriptor, target, done, target.length - done, offset + done);
    if (count === 0) {
      throw new HearthError("model_malformed", `${name} ends at byte ${offset + done}, before its tensors do.`, {
        hint: "Fetch it again: `hearth verify` tells what is damaged.",
      });
    }
    done += count;
  }
}
