import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { HearthError } from "../error.ts";
import { dataFolder } from "./paths.ts";
import type { SettingRow, Settings } from "./settings.ts";
import { settingsTable } from "./settings.ts";

/** Where a value came from, for `hearth doctor`. */
export type SettingSource = "flag" | "environment" | "file" | "default";

export interface LoadedSettings {
  readonly settings: Settings;
  readonly sources: { readonly [Name in keyof Settings]: SettingSource };
}

export interface SettingInputs {
  /** Setting name → text given as a flag. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Flag, else environment, else `settings.json` in the data folder, else the default of the table. */
export function loadSettings({ flags = {}, env = process.env }: SettingInputs = {}): LoadedSettings {
  const data = flags["data"] ?? env["HEARTH_DATA"];
  const file = readSettingsFile(data ?? dataFolder(env));
  const settings: Record<string, unknown> = {};
  const sources: Record<string, SettingSource> = {};
  for (const [name, row] of Object.entries(settingsTable) as [string, SettingRow<unknown>][]) {
    const [source, text, label] = pick(name, row, { flags, env, file });
    settings[name] = text === undefined ? row.default : row.parse(text, label);
    sources[name] = source;
  }
  // The table has a row for each key of Settings, so the record is complete.
  return { settings: settings as unknown as Settings, sources: sources as LoadedSettings["sources"] };
}

interface Inputs {
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file: Readonly<Record<string, unknown>>;
}

function pick(
  name: string,
  row: SettingRow<unknown>,
  { flags, env, file }: Inputs,
): [SettingSource, string | undefined, string] {
  const flag = flags[name];
  if (flag !== undefined) return ["flag", flag, `--${row.flag}`];
  for (const variable of [row.env, ...(row.alsoEnv ?? [])]) {
    const value = env[variable];
    if (value !== undefined && value !== "") return ["environment", value, variable];
  }
  const value = file[row.flag];
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
    return ["file", String(value), `"${row.flag}" in settings.json`];
  }
  return ["default", undefined, ""];
}

function readSettingsFile(folder: string): Readonly<Record<string, unknown>> {
  const path = join(folder, "settings.json");
  if (!existsSync(path)) return {};
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    throw new HearthError("usage", `${path} is not valid JSON.`, {
      cause: error,
      hint: "Mend the file, or remove it.",
    });
  }
  throw new HearthError("usage", `${path} must hold a JSON object.`, { hint: "Mend the file, or remove it." });
}
