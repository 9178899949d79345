import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../test/make-checkpoint.ts";
import { fixtureBytes, listFixtures } from "../../engines/flint/__fixtures__/fixtures.ts";
import type { Fixture } from "../../engines/flint/__fixtures__/fixtures.ts";
import { readFigures } from "../../formats/checkpoint/figures.ts";
import { openCheckpoint } from "../../formats/checkpoint/open.ts";
import { parseGguf } from "../../formats/gguf/parse.ts";
import { openSafetensors } from "../../formats/safetensors/read.ts";
import { convert } from "./convert.ts";

interface Published {
  readonly name: string;
  /** As transformers saves it. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Type, shape, start of the SHA-256. */
  readonly tensors: Readonly<Record<string, readonly [string, readonly number[], string]>>;
}

// Made by scripts/golden/checkpoints.py.
const published = JSON.parse(
  readFileSync(new URL("../../formats/checkpoint/__fixtures__/published.json", import.meta.url), "utf8"),
) as readonly Published[];
const models = listFixtures().map((fixture) => ({
  fixture,
  known: published.find(({ name }) => name === fixture.name)!,
}));

function writeModel(fixture: Fixture): { readonly path: string; readonly bytes: Uint8Array<ArrayBuffer> } {
  const bytes = fixtureBytes(fixture);
  const path = join(temporaryFolder(), `${fixture.name}.gguf`);
  writeFileSync(path, bytes);
  return { path, bytes };
}

function hashes(path: string): Record<string, unknown> {
  const { file, read, close } = openSafetensors(path);
  const found = [...file.tensors.values()].map(({ name, dtype, shape, offset, sizeBytes }) => {
    const bytes = new Uint8Array(sizeBytes);
    read(offset, bytes);
    return [
      name,
      [{ F32: "float32" }[dtype as "F32"], shape, createHash("sha256").update(bytes).digest("hex").slice(0, 16)],
    ];
  });
  close();
  return Object.fromEntries(found) as Record<string, unknown>;
}

/** What GGUF has no place for: a second copy of the embeddings, and a head that nothing uses. */
function isInGguf(name: string, { fixture, known }: (typeof models)[number]): boolean {
  if (name === "lm_head.weight" && known.config["tie_word_embeddings"] === true) return false;
  return fixture.kind === "rank" || !name.startsWith("pooler.");
}

describe("the folder of a model", () => {
  test.each(models)("has the tensors that transformers saves: $fixture.name", async (model) => {
    const { path } = writeModel(model.fixture);
    const out = join(temporaryFolder(), "made");
    await convert({ source: path, out });
    const expected = Object.entries(model.known.tensors).filter(([name]) => isInGguf(name, model));
    expect(hashes(join(out, "model.safetensors"))).toEqual(Object.fromEntries(expected));
  });

  test.each(models)("becomes the same tensors again: $fixture.name", async ({ fixture }) => {
    const { path, bytes } = writeModel(fixture);
    const out = join(temporaryFolder(), "made");
    await convert({ source: path, out });
    const before = parseGguf(bytes, { name: fixture.name });
    const after = openCheckpoint(out);
    const data = (name: string): readonly [readonly number[], string] => {
      const tensor = after.file.tensors.find((each) => each.name === name);
      const read = new Uint8Array(tensor?.sizeBytes ?? 0);
      if (tensor) after.read(tensor.offset, read);
      return [tensor?.shape ?? [], Buffer.from(read).toString("base64")];
    };
    for (const { name, shape, offset, sizeBytes } of before.tensors) {
      const start = before.dataOffset + offset;
      const known = Buffer.from(bytes.subarray(start, start + sizeBytes)).toString("base64");
      const [found, made] = data(name);
      expect([name, found.join(" ").replace(/ 1$/, "")]).toEqual([name, shape.join(" ").replace(/ 1$/, "")]);
      // Computed from the configuration, whose numbers are rounded.
      expect([name, name.startsWith("rope_freqs") ? known : made]).toEqual([name, known]);
    }
    after.close();
    expect(after.file.tensors.length).toBe(before.tensors.length);
  });

  test.each(models)("has the vocabulary that the file had: $fixture.name", async ({ fixture }) => {
    const { path, bytes } = writeModel(fixture);
    const out = join(temporaryFolder(), "made");
    const { notes } = await convert({ source: path, out });
    expect(notes).toEqual([]);
    const checkpoint = openCheckpoint(out);
    checkpoint.close();
    const list = (metadata: ReadonlyMap<string, unknown>, key: string): unknown => {
      const value = metadata.get(`tokenizer.ggml.${key}`) as
        | { strings?: Iterable<string>; numbers?: Iterable<number> }
        | undefined;
      return value && [...(value.strings ?? value.numbers ?? [])];
    };
    const before = parseGguf(bytes, { name: fixture.name }).metadata;
    for (const key of ["tokens", "merges"]) expect(list(checkpoint.file.metadata, key)).toEqual(list(before, key));
    const types = list(before, "token_type") as number[];
    const unused = new Set(types.flatMap((type, id) => (type === 5 ? [id] : [])));
    const made = (list(checkpoint.file.metadata, "token_type") as number[]).map((type, id) =>
      unused.has(id) ? 5 : type,
    );
    expect(made).toEqual(types);
    for (const role of ["bos", "eos", "unknown", "cls", "mask", "padding", "seperator"]) {
      const key = `tokenizer.ggml.${role}_token_id`;
      expect([role, checkpoint.file.metadata.get(key)]).toEqual([role, before.get(key)]);
    }
  });
});

/** Keys that the writer of the fixtures adds or leaves out as it likes. */
const free =
  /vocab_size|rope\.scaling\.type|sliding_window|rope\.freq_base|rope\.dimension_count|pooling_type|output_labels|key_length|value_length|head_count_kv/;

const closeTo = (value: number): unknown => expect.closeTo(value, 6);

describe("the configuration that transformers saves", () => {
  test.each(models)("gives the figures of the file: $fixture.name", ({ fixture, known }) => {
    const before = parseGguf(fixtureBytes(fixture), { name: fixture.name }).metadata;
    const { keys, family } = readFigures(known.config);
    expect(family.architecture).toBe(fixture.architecture);
    for (const [key, value] of before) {
      if (!key.startsWith(`${fixture.architecture}.`) || free.test(key)) continue;
      const found = keys[key.slice(fixture.architecture.length + 1)]?.value;
      const wanted = typeof value === "number" ? closeTo(value) : value;
      expect([key, typeof value === "number" ? Number(found) : found]).toEqual([key, wanted]);
    }
  });
});
