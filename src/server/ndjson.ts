export const ndjsonType = "application/x-ndjson";

/** One value a line. */
export function encodeNdjson(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
