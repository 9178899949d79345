/** Pictures on the command line: where they come from and where they go. */
import { readFile, writeFile } from "node:fs/promises";
import { basename, extname } from "node:path";
import { HearthError } from "../../error.ts";
import type { ImageInput } from "../../spec/media.ts";
import type { Input } from "../../terminal/io.ts";

/** The bytes of a file; `-` is what comes in on stdin. */
export async function readInput(name: string, stdin: Input): Promise<Uint8Array> {
  if (name !== "-") return new Uint8Array(await readFile(name).catch((error: unknown) => refuse(name, error)));
  const pieces: Buffer[] = [];
  for await (const piece of stdin) pieces.push(Buffer.from(piece));
  return new Uint8Array(Buffer.concat(pieces));
}

export async function readPicture(name: string, stdin: Input): Promise<ImageInput> {
  return { bytes: await readInput(name, stdin) };
}

/** `photo.jpg` → `photo.detect.png`, in the folder where the command runs. */
export function picturePath(name: string, suffix: string, out: string | undefined): string {
  if (out !== undefined) return out;
  if (name === "-")
    throw new HearthError("usage", "A picture from stdin has no name; say where the result goes: --out FILE.png.");
  return `${basename(name, extname(name))}.${suffix}.png`;
}

export async function writePicture(path: string, { png }: { readonly png: Uint8Array }): Promise<void> {
  await writeFile(path, png);
}

function refuse(name: string, cause: unknown): never {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  const what = code === "ENOENT" ? "does not exist" : code === "EISDIR" ? "is a folder" : "cannot be read";
  throw new HearthError("usage", `The file ${name} ${what}.`, { cause });
}
