/** The file beside a state that says what it is. */
import { strideTokens } from "./chain.ts";

const formatVersion = 1;

export interface StateRecord {
  /** Name of the tokens; both files are called so. */
  readonly key: string;
  readonly tokens: number;
  /** `prefixNames` of the tokens. */
  readonly prefixes: readonly string[];
  readonly sizeBytes: number;
  /** SHA-256 of the state's file. */
  readonly checksum: string;
}

export function encodeRecord(record: StateRecord): string {
  return JSON.stringify({ version: formatVersion, ...record });
}

/** Undefined: it is not one of ours, or not whole. */
export function parseRecord(text: string): StateRecord | undefined {
  const value = parseJson(text);
  if (typeof value !== "object" || value === null) return undefined;
  const { version, key, tokens, prefixes, sizeBytes, checksum } = value as Readonly<Record<string, unknown>>;
  if (version !== formatVersion || !isName(key) || !isName(checksum) || !isCount(tokens) || !isCount(sizeBytes)) {
    return undefined;
  }
  if (!Array.isArray(prefixes) || !prefixes.every(isName)) return undefined;
  if (prefixes.length !== Math.floor(tokens / strideTokens)) return undefined;
  return { key, tokens, prefixes, sizeBytes, checksum };
}

export function isName(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
