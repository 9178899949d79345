/** Keys: stored as hashes, compared in constant time, each its own tenant. */
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Settings } from "../config/settings.ts";
import { HearthError } from "../error.ts";

export interface Auth {
  /** False: no key is set and everybody who reaches the server may use it. */
  readonly required: boolean;
  /** The tenant of a caller. Throws `unauthorized`. */
  authenticate(headers: Headers): string;
}

const withoutKey = "local";

/** Reads the keys once. Throws `usage` for a file that cannot be read or holds no key. */
export function createAuth({ apiKey, apiKeyFile }: Pick<Settings, "apiKey" | "apiKeyFile">): Auth {
  const keys = [...(apiKey === undefined ? [] : [apiKey]), ...(apiKeyFile === undefined ? [] : readKeys(apiKeyFile))];
  if (keys.some((key) => key.trim() === "")) {
    throw new HearthError("usage", "The API key is empty.", { hint: "Set a key, or leave the setting out." });
  }
  const hashes = keys.map(hash);
  if (hashes.length === 0) return { required: false, authenticate: () => withoutKey };
  return {
    required: true,
    authenticate(headers) {
      const key = readKey(headers);
      if (key === undefined) throw new HearthError("unauthorized", "This server needs an API key, and none was sent.");
      const given = hash(key);
      // Every key is compared, so that the time does not tell which one came close.
      const known = hashes.filter((each) => timingSafeEqual(each, given)).length > 0;
      if (!known) throw new HearthError("unauthorized", "The API key is not one of this server's keys.");
      return `key-${createHash("sha256").update("hearth tenant\0").update(given).digest("hex").slice(0, 32)}`;
    },
  };
}

function readKeys(path: string): readonly string[] {
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
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  if (keys.length > 0) return keys;
  throw new HearthError("usage", `The file of API keys, ${path}, holds no key.`, { hint: "Put one key a line." });
}

function readKey(headers: Headers): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "")?.[1];
  return bearer ?? headers.get("x-api-key") ?? undefined;
}

function hash(key: string): Buffer {
  return createHash("sha256").update(key.trim(), "utf8").digest();
}
