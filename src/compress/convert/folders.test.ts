import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { writeFiles } from "../../../test/make-checkpoint.ts";
import { distance } from "../../engines/flint/__fixtures__/distance.ts";
import { findFixture } from "../../engines/flint/__fixtures__/fixtures.ts";
import { openModel, openReference } from "../../engines/flint/__fixtures__/open.ts";
import { createGgufTokenizer } from "../../engines/flint/tokenizer/gguf.ts";
import { createJsonTokenizer } from "../../engines/flint/tokenizer/json.ts";
import { openCheckpoint } from "../../formats/checkpoint/open.ts";
import { encodeHeader } from "../../formats/gguf/encode.ts";

/** A folder that transformers has written. Made by scripts/golden/checkpoints.py. */
function writeFolder(name: string): string {
  const url = new URL(`../../formats/checkpoint/__fixtures__/${name}.json.gz`, import.meta.url);
  const files = JSON.parse(gunzipSync(readFileSync(url)).toString()) as Record<string, string>;
  return writeFiles(
    Object.fromEntries(Object.entries(files).map(([file, text]) => [file, Buffer.from(text, "base64")])),
  );
}

/** The bytes of the file that `convert` would write. */
function readWhole(folder: string): Uint8Array<ArrayBuffer> {
  const { file, metadata, read, close } = openCheckpoint(folder);
  const tensors = file.tensors.map(({ name, shape, typeName: type }) => ({
    name,
    shape,
    type,
    data: new Uint8Array(),
  }));
  const header = encodeHeader({ metadata, tensors }).bytes;
  const bytes = new Uint8Array(header.length + file.fileBytes);
  bytes.set(header);
  read(0, bytes.subarray(header.length));
  close();
  return bytes;
}

const names = ["llama", "gemma3", "qwen2moe", "bert-cls"];

describe("a folder that transformers has written", () => {
  test.each(names)("gives its numbers: %s", (name) => {
    const fixture = findFixture(name);
    const model = openModel(readWhole(writeFolder(name)), name);
    for (const prompt of fixture.prompts) {
      const { reference } = openReference(model, prompt.contextTokens);
      const isWanted = (position: number): boolean => "firstLogits" in prompt && position >= prompt.firstLogits;
      const rows = reference.step(
        prompt.tokens.map((token, position) => ({ token, sequence: 0, position, output: isWanted(position) })),
      );
      const [found, wanted] = "logits" in prompt ? [rows, prompt.logits] : [rows.slice(0, 1), [prompt.embedding ?? []]];
      expect(distance(found, wanted)).toBeLessThan(1e-2);
    }
  });

  test.each(names)("has the tokens of its tokenizer.json: %s", (name) => {
    const folder = writeFolder(name);
    const { file, close } = openCheckpoint(folder);
    close();
    const ours = createGgufTokenizer(file.metadata);
    const json = (file: string): unknown => JSON.parse(readFileSync(join(folder, file), "utf8"));
    const theirs = createJsonTokenizer(json("tokenizer.json"), json("tokenizer_config.json"));
    for (const text of ["the others have it", " In this, 123 and ©", "to be<s>or</s>[SEP]not"]) {
      for (const special of [true, false]) {
        expect(ours.encode(text, { special, start: true })).toEqual(theirs.encode(text, { special, start: true }));
      }
    }
    expect(ours).toMatchObject({ addBos: theirs.addBos, bos: theirs.bos });
  });
});

interface Further {
  readonly name: string;
  readonly texts: Readonly<Record<string, string>>;
  /** `model.safetensors`, in base64. */
  readonly weights: string;
  readonly tokens: readonly number[];
  /** Rows of float32, in base64. */
  readonly values: string;
  readonly width: number;
}

// Made by scripts/golden/further.py.
const furtherUrl = new URL("../../formats/checkpoint/__fixtures__/further.json.gz", import.meta.url);
const further = JSON.parse(gunzipSync(readFileSync(furtherUrl)).toString()) as readonly Further[];

test.each(further)(
  "a folder of a family without a golden model: $name",
  ({ name, texts, weights, tokens, values, width }) => {
    const folder = writeFiles({ ...texts, "model.safetensors": Buffer.from(weights, "base64") });
    const floats = new Float32Array(new Uint8Array(Buffer.from(values, "base64")).buffer);
    const expected = Array.from({ length: floats.length / width }, (_, row) =>
      floats.subarray(row * width, (row + 1) * width),
    );
    const { reference, hyperparameters } = openReference(openModel(readWhole(folder), name), 64);
    const ranks = hyperparameters.pooling === "rank";
    const rows = reference.step(
      tokens.map((token, position) => ({
        token,
        sequence: 0,
        position,
        output: ranks ? position === 0 : hyperparameters.encoder === undefined,
      })),
    );
    expect(distance(rows, expected)).toBeLessThan(1e-4);
  },
);
