import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { HearthError } from "../../error.ts";
import { kindOfTflite, partnerKinds } from "../../formats/tflite/kind.ts";
import { readPacked } from "../../formats/tflite/packed.ts";
import type { PackedTflite } from "../../formats/tflite/packed.ts";
import { readTflite } from "../../formats/tflite/read.ts";
import type { Opened } from "./context.ts";
import { normalizationOf } from "./feed.ts";
import type { Accelerator, LiteRt } from "./litert.ts";
import { createSession } from "./session.ts";

export interface OpenOptions {
  readonly litert: LiteRt;
  readonly accelerator: Accelerator;
  readonly name?: string;
}

/** Reads, checks and compiles a model. Throws `model_malformed`, `model_unsupported` and `engine_load_failed`. */
export async function openModel(path: string, options: OpenOptions): Promise<Opened> {
  return await openFile({ ...readTflite(path, options.name), bytes: new Uint8Array(readFileSync(path)) }, options);
}

async function openFile({ model, metadata, bytes }: PackedTflite, options: OpenOptions): Promise<Opened> {
  const { litert, accelerator } = options;
  const kind = kindOfTflite(model, metadata);
  const session = await createSession({ litert, model, bytes, accelerator });
  const planes = session.signature.outputs[0]?.shape.at(-1);
  const normalization = normalizationOf(kind, metadata, Number(planes));
  const feed = session.picture && { input: session.picture, normalization };
  return { kind, session, metadata, feed };
}

/** A folder with hundreds of models is no model. */
const mostFiles = 32;
const mostBytes = 64 * 1024 ** 2;

/** The model in the same folder that works together with this one. */
export async function openPartner(path: string, opened: Opened, options: OpenOptions): Promise<Opened | undefined> {
  const wanted = partnerKinds[opened.kind];
  if (wanted === undefined) return undefined;
  const folder = dirname(path);
  const others = readdirSync(folder).filter((name) => name !== basename(path));
  for (const name of others.toSorted().slice(0, mostFiles)) {
    const found = modelsIn(join(folder, name)).find(({ model, metadata }) => kindOfTflite(model, metadata) === wanted);
    if (found) return await openFile(found, options);
  }
  return undefined;
}

/** Small enough to be looked through. What is no model beside it is no fault of this one. */
function modelsIn(path: string): readonly PackedTflite[] {
  const found = statSync(path);
  if (!found.isFile() || found.size > mostBytes || !/\.(tflite|data)$/i.test(path)) return [];
  const bytes = new Uint8Array(readFileSync(path));
  try {
    return [{ ...readTflite(path), bytes }];
  } catch (error) {
    if (error instanceof HearthError) return readPacked(bytes, basename(path));
    throw error;
  }
}
