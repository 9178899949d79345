import type { CallCounter } from "./calls.ts";
import type { OutputEvent, OutputStage } from "./event.ts";
import { firstMarker, openLength } from "./hold.ts";
import { parseExact, toArguments } from "./json.ts";
import type { KnownTools } from "./pattern.ts";

/**
 * The channels of gpt-oss: `<|channel|>analysis<|message|>` thoughts, `final` the answer, `commentary to=functions.NAME`
 * the arguments of a call. Source: OpenAI's description of the harmony response format.
 */
export interface HarmonyOptions {
  readonly tools?: KnownTools | undefined;
  readonly counter: CallCounter;
}

const messageStart = "<|message|>";
const headerStarts: readonly string[] = ["<|start|>", "<|channel|>"];
const messageEnds: readonly string[] = ["<|end|>", "<|return|>", "<|call|>", "<|start|>"];

const longestHeader = 1024;

interface Header {
  readonly kind: "reasoning" | "text" | "call";
  readonly name: string;
}

export function createHarmonyStage({ tools, counter }: HarmonyOptions): OutputStage {
  let held = "";
  let state: "start" | "header" | "body" = "start";
  let header: Header = { kind: "text", name: "" };
  let raw = "";
  let body = "";

  /** Between messages: a header, or plain text from a model that writes none. */
  const start = (final: boolean): OutputEvent[] | undefined => {
    const opened = headerStarts.some((marker) => held.startsWith(marker));
    if (!opened && !final && headerStarts.some((marker) => marker.startsWith(held))) return undefined;
    state = opened ? "header" : "body";
    header = { kind: "text", name: "" };
    return [];
  };

  const readHeader = (final: boolean): OutputEvent[] | undefined => {
    const end = held.indexOf(messageStart);
    if (end < 0 || end > longestHeader) {
      if (end < 0 && held.length <= longestHeader + messageStart.length && !final) return undefined;
      // This is no header: it is given back instead of waiting for ever.
      const text = held.slice(0, 1);
      held = held.slice(1);
      state = "body";
      return [{ type: "text-delta", text }];
    }
    raw = held.slice(0, end + messageStart.length);
    header = parseHeader(raw);
    held = held.slice(raw.length);
    body = "";
    state = "body";
    return [];
  };

  const readBody = (final: boolean): OutputEvent[] | undefined => {
    const found = firstMarker(held, messageEnds);
    const keep = found || final ? 0 : openLength(held, messageEnds);
    const text = held.slice(0, found ? found.at : held.length - keep);
    held = held.slice(text.length);
    const events = show(text);
    if (!found) return events.length > 0 || text !== "" ? events : undefined;
    // `<|start|>` begins the next header; the other markers belong to the message that ends.
    if (found.marker !== "<|start|>") held = held.slice(found.marker.length);
    state = "start";
    return [...events, ...finish()];
  };

  const show = (text: string): OutputEvent[] => {
    if (header.kind === "call") body += text;
    else if (text !== "") return [{ type: header.kind === "text" ? "text-delta" : "reasoning-delta", text }];
    return [];
  };

  const finish = (): OutputEvent[] => {
    if (header.kind !== "call") return [];
    const args = toArguments(parseExact(body));
    const { name } = header;
    header = { kind: "text", name: "" };
    if (args !== undefined && tools?.has(name)) return counter.events([{ name, arguments: args }]);
    return [{ type: "text-delta", text: raw + body }];
  };

  const run = (final: boolean): OutputEvent[] => {
    const events: OutputEvent[] = [];
    for (;;) {
      const more =
        held === ""
          ? undefined
          : state === "start"
            ? start(final)
            : state === "header"
              ? readHeader(final)
              : readBody(final);
      if (!more) break;
      events.push(...more);
    }
    return events;
  };

  return {
    push(text) {
      held += text;
      return run(false);
    },
    end: () => [...run(true), ...(state === "body" ? finish() : [])],
  };
}

function parseHeader(raw: string): Header {
  const channelAt = raw.indexOf("<|channel|>");
  const words = raw
    .slice(channelAt < 0 ? 0 : channelAt + "<|channel|>".length, -messageStart.length)
    .split(/[\s<|>]+/)
    .filter((word) => word !== "");
  const recipient = raw
    .slice(0, -messageStart.length)
    .split(/[\s<|>]+/)
    .find((word) => word.startsWith("to="));
  if (recipient?.startsWith("to=functions.")) return { kind: "call", name: recipient.slice("to=functions.".length) };
  return { kind: words[0] === "analysis" ? "reasoning" : "text", name: "" };
}
