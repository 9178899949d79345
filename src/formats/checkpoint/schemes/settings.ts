/** What `quantization_config` says, checked. */
import type { Config } from "../config.ts";
import { shown, unsupported } from "../json.ts";

/** The settings, where `quant_method` is one of these; else undefined. */
export function settingsOf(settings: Config, ...methods: readonly string[]): Config | undefined {
  const method = settings.text("quant_method");
  return method !== undefined && methods.includes(method) ? settings : undefined;
}

/** Throws `model_unsupported` for a value that is there and not one of these. */
export function allow(settings: Config, key: string, values: readonly unknown[], hint?: string): void {
  const value = settings.get(key);
  if (value === undefined || values.includes(value)) return;
  throw unsupported(settings.name, key, `is ${shown(value)}; hearth reads ${values.map(shown).join(", ")}`, hint);
}

/** Columns that share a scale; undefined for -1, which is whole rows. Throws `model_malformed` for anything else. */
export function groupSizeOf(settings: Config, ...names: readonly string[]): number | undefined {
  const value = settings.number(...names);
  if (value === -1 || value === undefined) return undefined;
  const size = settings.integer(...names);
  if (size === 0) {
    const problem = "is 0; it must be -1, for whole rows, or a number of columns";
    throw unsupported(settings.name, names[0] ?? "", problem);
  }
  return size;
}

export function describeGroups(size: number | undefined): string {
  return size === undefined ? "one group a row" : `groups of ${size}`;
}

/** A number of rows or columns. */
export function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0;
}
