import { parseDuration } from "../../config/values.ts";
import { badField } from "./body.ts";

/** `keep_alive` of Ollama: a number of seconds or text such as `5m`; negative: for ever. Result in ms. */
export function parseKeepAlive(value: string | number, field = "keep_alive"): number {
  try {
    return parseDuration(String(value), field);
  } catch {
    throw badField(field, "must be seconds or a duration such as 5m, 1h30m, 0 (now) or -1 (for ever)");
  }
}
