import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeCheckpoint } from "../../../test/make-checkpoint.ts";
import { HearthError } from "../../error.ts";
import { openCheckpoint } from "./open.ts";

/** Numbers from 0 to 2^32 - 1, the same in every run (T. Wang's mix of a counter). */
function createNoise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e37_79b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0_aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
}

const interesting = [
  '"',
  "{",
  "}",
  "[",
  "]",
  ",",
  "-1",
  "1e99",
  "null",
  "0",
  "99999999999999999999",
  "true",
  "\\u0000",
  "",
];

/** One place of a text replaced by another one, or by what breaks JSON. */
function damage(text: string, noise: () => number): string {
  const at = noise() % text.length;
  const length = noise() % 3 === 0 ? noise() % 20 : 1;
  const piece =
    noise() % 2 === 0 ? interesting[noise() % interesting.length] : text.slice(noise() % text.length).slice(0, 5);
  return text.slice(0, at) + piece + text.slice(at + length);
}

test.each(["config.json", "tokenizer.json", "model.safetensors"])(
  "whatever is changed in %s, the folder is read or refused with a reason",
  (name) => {
    const folder = makeCheckpoint();
    const path = join(folder, name);
    const bytes = readFileSync(path);
    const noise = createNoise(7);
    const errors: unknown[] = [];
    for (let round = 0; round < 300; round++) {
      if (name.endsWith(".json")) writeFileSync(path, damage(bytes.toString(), noise));
      else {
        // The header alone: weights may be anything.
        const length = 8 + Number(bytes.readBigUInt64LE(0));
        const changed = Buffer.from(bytes);
        for (let times = 1 + (noise() % 3); times > 0; times--) changed[noise() % length] = noise() & 255;
        writeFileSync(path, changed);
      }
      try {
        const { file, read, close } = openCheckpoint(folder);
        read(0, new Uint8Array(Math.min(4096, file.fileBytes)));
        close();
      } catch (error) {
        errors.push(error);
      }
    }
    expect(errors.filter((error) => !(error instanceof HearthError))).toEqual([]);
    expect(errors.length).toBeGreaterThan(50);
  },
);
