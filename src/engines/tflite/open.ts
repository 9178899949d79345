import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { HearthError } from "../../error.ts";
import { kindOfTflite, partnerKinds } from "../../formats/tflite/kind.ts";
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
export async function openModel(path: string, { litert, accelerator, name }: OpenOptions): Promise<Opened> {
  const { model, metadata } = readTflite(path, name);
  const kind = kindOfTflite(model, metadata);
  const session = await createSession({ litert, model, bytes: readFileSync(path), accelerator });
  const planes = session.signature.outputs[0]?.shape.at(-1);
  const normalization = normalizationOf(kind, metadata, Number(planes));
  const feed = session.picture && { input: session.picture, normalization };
  return { kind, session, metadata, feed };
}

/** A folder with hundreds of models is no model. */
const mostFiles = 32;

/** The model in the same folder that works together with this one. */
export async function openPartner(path: string, opened: Opened, options: OpenOptions): Promise<Opened | undefined> {
  const wanted = partnerKinds[opened.kind];
  if (wanted === undefined) return undefined;
  const folder = dirname(path);
  const others = readdirSync(folder).filter((name) => name !== basename(path));
  for (const name of others.toSorted().slice(0, mostFiles)) {
    const other = join(folder, name);
    if (kindOfFile(other) === wanted) return await openModel(other, { ...options, name });
  }
  return undefined;
}

/** What is no model beside it is no fault of this one. */
function kindOfFile(path: string): string | undefined {
  try {
    const { model, metadata } = readTflite(path);
    return kindOfTflite(model, metadata);
  } catch (error) {
    if (error instanceof HearthError) return undefined;
    throw error;
  }
}
