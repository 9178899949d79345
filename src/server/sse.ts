import type { SseFrame } from "../dialects/route.ts";

export const sseType = "text/event-stream; charset=utf-8";

/** A comment: keeps proxies from closing a quiet connection. */
export const sseKeepAlive = ": keep-alive\n\n";

/** One frame as the WHATWG HTML standard has it, section 9.2. */
export function encodeSse({ event, data }: SseFrame): string {
  const name = event === undefined ? "" : `event: ${event}\n`;
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${name}${lines.join("")}\n`;
}
