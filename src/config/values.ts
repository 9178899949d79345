import { HearthError } from "../error.ts";

/** Parsers of setting values: text from a flag, the environment or the settings file → typed value. */

export function parseText(text: string): string {
  return text;
}

export function parseBoolean(text: string, name: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  throw invalid(name, text, "true or false");
}

export function parseInteger(text: string, name: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < 0)
    throw invalid(name, text, "a whole number, 0 or more");
  return value;
}

export function parseCount(text: string, name: string): number {
  const value = parseInteger(text, name);
  if (value === 0) throw invalid(name, text, "a whole number, 1 or more");
  return value;
}

export function parsePort(text: string, name: string): number {
  const port = parseInteger(text, name);
  if (port > 65_535) throw invalid(name, text, "a port from 0 to 65535");
  return port;
}

const byteUnits: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** `512MiB`, `4G`, `1000` → bytes. */
export function parseBytes(text: string, name: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*$/i.exec(text);
  const unit = byteUnits[match?.[2]?.toLowerCase() ?? "?"];
  if (!match?.[1] || unit === undefined) throw invalid(name, text, "a size such as 512MiB or 4GiB");
  return Math.round(Number(match[1]) * unit);
}

/** A size, or `off` for none of it. */
export function parseBytesOrOff(text: string, name: string): number {
  return /^\s*off\s*$/i.test(text) ? 0 : parseBytes(text, name);
}

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Go-style durations (`5m`, `1h30m`, `-1`), or plain seconds → ms. Negative: Infinity. */
export function parseDuration(text: string, name: string): number {
  const trimmed = text.trim();
  if (trimmed.startsWith("-")) return Infinity;
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed) * 1000;
  const parts = [...trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join("") !== trimmed) {
    throw invalid(name, text, "a duration such as 5m, 1h30m, 0 (now) or -1 (for ever)");
  }
  return parts.reduce((sum, part) => sum + Number(part[1]) * (durationUnits[part[2] ?? ""] ?? 0), 0);
}

/** A duration, or `off` or `never` for Infinity. */
export function parseDurationOrNever(text: string, name: string): number {
  return /^\s*(off|never)\s*$/i.test(text) ? Infinity : parseDuration(text, name);
}

export function parseList(text: string): readonly string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

export function parseOneOf<T extends string>(allowed: readonly T[]): (text: string, name: string) => T {
  return (text, name) => {
    const value = allowed.find((item) => item === text);
    if (value === undefined) throw invalid(name, text, `one of ${allowed.join(", ")}`);
    return value;
  };
}

function invalid(name: string, text: string, expected: string): HearthError {
  return new HearthError("usage", `${name} is "${text}"; it must be ${expected}.`, { details: { field: name } });
}
