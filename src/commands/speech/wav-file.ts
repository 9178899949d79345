import { open, rename, rm } from "node:fs/promises";
import { toPcm16, wavHeader } from "../../formats/audio/write.ts";
import type { AudioPart } from "../../spec/perform.ts";

/** A WAV file that is written while its sound is made. It gets its name when it is whole. */
export interface WavFile {
  add(part: AudioPart): void;
  finish(): Promise<void>;
  discard(): Promise<void>;
}

export async function createWavFile(path: string): Promise<WavFile> {
  const partial = `${path}.part`;
  const handle = await open(partial, "w");
  const headerBytes = wavHeader({ sampleRate: 1 }).length;
  let frames = 0;
  let sampleRate = 0;
  let work: Promise<unknown> = Promise.resolve();
  return {
    add(part) {
      const place = headerBytes + frames * 2;
      frames += part.samples.length;
      ({ sampleRate } = part);
      work = work.then(async () => await handle.write(toPcm16(part.samples), 0, undefined, place));
      // Told by `finish`.
      work.catch(() => {});
    },
    async finish() {
      await work;
      const header = wavHeader({ sampleRate, frames });
      await handle.write(header, 0, header.length, 0);
      await handle.close();
      await rename(partial, path);
    },
    async discard() {
      await work.catch(() => {});
      await handle.close().catch(() => {});
      await rm(partial, { force: true });
    },
  };
}
