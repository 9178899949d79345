/** Sessions in files, so that a chat can go on another day. */
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { HearthError } from "../../error.ts";
import type { Session } from "./session.ts";

const format = z.union([
  z.object({ type: z.literal("text") }),
  z.object({ type: z.literal("json") }),
  z.object({ type: z.literal("json-schema"), schema: z.record(z.string(), z.unknown()) }),
]);

/** Pictures are in base64. */
const part = z.union([
  z.object({ type: z.literal("text"), text: z.string() }),
  z
    .object({ type: z.literal("image"), mediaType: z.string(), data: z.base64() })
    .transform((image) => ({ ...image, data: new Uint8Array(Buffer.from(image.data, "base64")) })),
]);

const savedSession = z.object({
  version: z.literal(1),
  model: z.string(),
  system: z.string().optional(),
  messages: z.array(z.object({ role: z.enum(["user", "assistant"]), content: z.union([z.string(), z.array(part)]) })),
  parameters: z.object({
    sampling: z.record(z.string(), z.number()),
    maxTokens: z.number().optional(),
    stop: z.array(z.string()),
    contextTokens: z.number().optional(),
  }),
  format: format.optional(),
  think: z.union([z.boolean(), z.enum(["low", "medium", "high"])]).optional(),
});

export type SavedSession = Pick<Session, "model" | "system" | "messages" | "parameters" | "format" | "think">;

/** Writes the session whole or not at all. Returns the path. */
export async function saveSession(folder: string, name: string, session: Session): Promise<string> {
  const path = pathOf(folder, name);
  const { model, system, messages, parameters, format: output, think } = session;
  await mkdir(folder, { recursive: true });
  const saved = { version: 1, model, system, messages, parameters, format: output, think };
  const text = JSON.stringify(saved, (_, value: unknown) => (value instanceof Uint8Array ? toBase64(value) : value), 2);
  await writeFile(`${path}.part`, `${text}\n`, { mode: 0o600 });
  await rename(`${path}.part`, path);
  return path;
}

/** The session saved under a name; undefined when there is none. */
export async function loadSaved(folder: string, name: string): Promise<SavedSession | undefined> {
  if (!isName(name)) return undefined;
  const path = pathOf(folder, name);
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const parsed = savedSession.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new HearthError("bad_request", `${path} is not a saved session.`, { hint: "Remove the file, or mend it." });
  }
  const { model, system, messages, parameters, format: output, think } = parsed.data;
  return { model, system, messages, parameters, format: output, think };
}

export async function savedNames(folder: string): Promise<string[]> {
  const files = await readdir(folder).catch(() => []);
  return files.filter((file) => file.endsWith(".json")).map((file) => file.slice(0, -5));
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isName(name: string): boolean {
  return /^[\w][\w.-]{0,99}$/.test(name);
}

function pathOf(folder: string, name: string): string {
  if (isName(name)) return join(folder, `${name}.json`);
  throw new HearthError("usage", `"${name}" cannot be the name of a session.`, {
    hint: "Use letters, digits, dots, dashes and underscores.",
  });
}
