/** Keys: stored as hashes, compared in constant time, each its own tenant. */
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Settings } from "../config/settings.ts";
import { HearthError } from "../error.ts";
import type { Priority } from "../spec/engine.ts";

export interface KeyHolder {
  readonly tenant: string;
  /** Of requests that do not say theirs. */
  readonly priority?: Priority;
}

export interface Auth {
  /** False: no key is set and everybody who reaches the server may use it. */
  readonly required: boolean;
  /** Throws `unauthorized`. */
  authenticate(headers: Headers): KeyHolder;
}

interface Key {
  readonly text: string;
  readonly priority?: Priority;
}

const withoutKey = "local";

/** Reads the keys once. Throws `usage` for a file that cannot be read or holds no key. */
export function createAuth({ apiKey, apiKeyFile }: Pick<Settings, "apiKey" | "apiKeyFile">): Auth {
  const own: readonly Key[] = apiKey === undefined ? [] : [{ text: apiKey }];
  const keys = [...own, ...(apiKeyFile === undefined ? [] : readKeys(apiKeyFile))];
  if (keys.some(({ text }) => text.trim() === "")) {
    throw new HearthError("usage", "The API key is empty.", { hint: "Set a key, or leave the setting out." });
  }
  if (keys.length === 0) return { required: false, authenticate: () => ({ tenant: withoutKey }) };
  const known = keys.map(({ text, priority }) => ({ hash: hash(text), priority }));
  return {
    required: true,
    authenticate(headers) {
      const key = readKey(headers);
      if (key === undefined) throw new HearthError("unauthorized", "This server needs an API key, and none was sent.");
      const given = hash(key);
      // Every key is compared, so that the time does not tell which one came close.
      const [same] = known.filter((each) => timingSafeEqual(each.hash, given));
      if (!same) throw new HearthError("unauthorized", "The API key is not one of this server's keys.");
      const { priority } = same;
      return { tenant: toTenant(given), ...(priority && { priority }) };
    },
  };
}

function toTenant(given: Buffer): string {
  return `key-${createHash("sha256").update("hearth tenant\0").update(given).digest("hex").slice(0, 32)}`;
}

function readKeys(path: string): readonly Key[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new HearthError("usage", `The file of API keys, ${path}, cannot be read.`, {
      cause: error,
      hint: "Give a file with one key a line.",
    });
  }
  const keys = text
    .split(/\r?\n/)
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== "" && !line.startsWith("#"))
    .map(({ line, number }) => readLine(line, `line ${number} of the file of API keys, ${path},`));
  if (keys.length > 0) return keys;
  throw new HearthError("usage", `The file of API keys, ${path}, holds no key.`, { hint: "Put one key a line." });
}

/** A key alone, or one whose requests are batch work unless they say otherwise. */
function readLine(line: string, where: string): Key {
  const [text = "", priority, ...more] = line.split(/\s+/);
  if (priority === undefined) return { text };
  if (more.length === 0 && (priority === "interactive" || priority === "batch")) return { text, priority };
  throw new HearthError("usage", `After its key, ${where} holds something that is neither interactive nor batch.`, {
    hint: "Put one key a line, with `batch` after it if its requests can wait for all others.",
  });
}

function readKey(headers: Headers): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "")?.[1];
  return bearer ?? headers.get("x-api-key") ?? undefined;
}

function hash(key: string): Buffer {
  return createHash("sha256").update(key.trim(), "utf8").digest();
}
