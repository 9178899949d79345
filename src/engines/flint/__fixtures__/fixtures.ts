/** Tiny seeded models and what Hugging Face transformers computes with them. `scripts/golden/models.py` writes both. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

const folder = fileURLToPath(new URL("./models/", import.meta.url));

/** Numbers of one text through a model that writes text. */
export interface GenerateGolden {
  /** `short` (12 tokens) or `long` (40, more than any sliding window). */
  readonly name: string;
  readonly tokens: readonly number[];
  /** Tokens of context to load with: LongRoPE depends on it. */
  readonly contextTokens: number;
  /** Position of the first row of `logits`. */
  readonly firstLogits: number;
  /** Rows of one logit per token of the vocabulary, from position `firstLogits` to the last. */
  readonly logits: readonly Float32Array[];
  /** The 16 tokens that follow when the best one is always taken. */
  readonly greedy: readonly number[];
  /** The smallest distance between best and second-best logit on the way. */
  readonly greedyGap: number;
}

/** Numbers of one text through an encoder. The tokens include those that begin, separate and end texts. */
export interface EncoderGolden {
  readonly name: string;
  readonly tokens: readonly number[];
  readonly contextTokens: number;
  /** Output of the last layer, one row per token; of the short text only. */
  readonly hidden?: readonly Float32Array[];
  /** Pooled, not normalized; for kind `embed`. */
  readonly embedding?: Float32Array;
  /** A logit, before the sigmoid; for kind `rank`. */
  readonly score?: number;
}

interface FixtureBase {
  readonly name: string;
  /** `general.architecture` */
  readonly architecture: string;
  readonly file: string;
  /** What is special about the model. */
  readonly notes: string;
  /** Tokens in the vocabulary. */
  readonly vocabulary: number;
  readonly hidden: number;
  readonly layers: number;
}

export interface GenerateFixture extends FixtureBase {
  readonly kind: "generate";
  readonly prompts: readonly GenerateGolden[];
}

export interface EncoderFixture extends FixtureBase {
  readonly kind: "embed" | "rank";
  readonly pooling: "mean" | "cls" | "rank";
  readonly prompts: readonly EncoderGolden[];
}

export type Fixture = GenerateFixture | EncoderFixture;

type Packed<T> = { [Key in keyof T]: unknown };

/** All fixtures, with their numbers decoded. */
export function listFixtures(): readonly Fixture[] {
  return (JSON.parse(readFileSync(join(folder, "index.json"), "utf8")) as Packed<Fixture>[]).map(decodeFixture);
}

export function generateFixtures(): readonly GenerateFixture[] {
  return listFixtures().filter((fixture) => fixture.kind === "generate");
}

export function encoderFixtures(): readonly EncoderFixture[] {
  return listFixtures().filter((fixture) => fixture.kind !== "generate");
}

export function findFixture(name: string): Fixture {
  const found = listFixtures().find((fixture) => fixture.name === name);
  if (!found) throw new Error(`There is no fixture "${name}"; scripts/golden/models.py writes them.`);
  return found;
}

/** The GGUF file. */
export function fixtureBytes({ file }: Fixture): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gunzipSync(readFileSync(join(folder, file))));
}

/** The GGUF as a file of its own, for engines that want a path; gone after `use`. */
export async function withFixtureFile<T>(fixture: Fixture, use: (path: string) => Promise<T>): Promise<T> {
  const own = await mkdtemp(join(tmpdir(), "hearth-fixture-"));
  try {
    const path = join(own, `${fixture.name}.gguf`);
    await writeFile(path, fixtureBytes(fixture));
    return await use(path);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

function decodeFixture(packed: Packed<Fixture>): Fixture {
  const prompts = (packed.prompts as Record<string, unknown>[]).map((prompt) => ({
    ...prompt,
    ...(typeof prompt["logits"] === "string" && { logits: decodeRows(prompt["logits"], Number(packed.vocabulary)) }),
    ...(typeof prompt["hidden"] === "string" && { hidden: decodeRows(prompt["hidden"], Number(packed.hidden)) }),
    ...(typeof prompt["embedding"] === "string" && { embedding: decodeFloats(prompt["embedding"]) }),
  }));
  return { ...packed, prompts } as unknown as Fixture;
}

function decodeRows(text: string, size: number): Float32Array[] {
  const values = decodeFloats(text);
  return Array.from({ length: values.length / size }, (_, row) => values.subarray(row * size, (row + 1) * size));
}

function decodeFloats(text: string): Float32Array {
  const bytes = new Uint8Array(Buffer.from(text, "base64"));
  return new Float32Array(bytes.buffer);
}
