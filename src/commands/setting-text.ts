import { settingsTable, type Settings } from "../config/settings.ts";
import { parseBytes, parseBytesOrOff, parseDuration, parseDurationOrNever } from "../config/values.ts";
import { formatBytes, formatDuration } from "../util/format.ts";

/** The value of a setting as one would type it: `5m0s`, not 300000; `64.0 MiB`, not 67108864. */
export function settingText<Name extends keyof Settings>(name: Name, value: Settings[Name]): string {
  if (value === undefined) return "";
  if (Array.isArray(value)) return value.join(",");
  if (typeof value === "number") {
    const parse: unknown = settingsTable[name].parse;
    if (parse === parseDuration) return value === Infinity ? "-1" : formatDuration(value);
    if (parse === parseDurationOrNever) return value === Infinity ? "off" : formatDuration(value);
    if (parse === parseBytes || parse === parseBytesOrOff) return formatBytes(value);
  }
  return String(value);
}
