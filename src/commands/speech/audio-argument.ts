import { resolve } from "node:path";
import type { AudioInput } from "../../spec/media.ts";
import type { Input } from "../../terminal/io.ts";

/** A file, which the engine reads itself; `-` is what comes in on stdin. */
export async function audioFromArgument(name: string, stdin: Input): Promise<AudioInput> {
  if (name !== "-") return { path: resolve(name) };
  const pieces: Buffer[] = [];
  for await (const piece of stdin) pieces.push(Buffer.from(piece));
  return { bytes: new Uint8Array(Buffer.concat(pieces)) };
}
