import { malformed } from "../fail.ts";

/** An object of a JSON file. */
export type Json = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Throws `model_malformed` for anything but an object. */
export function objectOf(value: unknown, field: string): Json {
  if (isObject(value)) return value;
  throw malformed(field, "must be an object");
}

export function optionalObject(value: unknown, field: string): Json | undefined {
  return value === undefined || value === null ? undefined : objectOf(value, field);
}

export function listOf(value: unknown, field: string): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[];
  throw malformed(field, "must be a list");
}

export function stringOf(value: unknown, field: string): string {
  if (typeof value === "string") return value;
  throw malformed(field, "must be a string");
}

export function optionalString(value: unknown, field: string): string | undefined {
  return value === undefined || value === null ? undefined : stringOf(value, field);
}

export function numberOf(value: unknown, field: string): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw malformed(field, "must be a number");
}

export function booleanOf(value: unknown, field: string, byDefault: boolean): boolean {
  if (value === undefined || value === null) return byDefault;
  if (typeof value === "boolean") return value;
  throw malformed(field, "must be true or false");
}

/** Ids are whole numbers from 0; so far no vocabulary has a million tokens. */
export function idOf(value: unknown, field: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 24) return value;
  throw malformed(field, "has an id that is none");
}
