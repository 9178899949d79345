import type { Settings } from "../../config/settings.ts";
import type { Message } from "../../spec/message.ts";
import type { OutputFormat } from "../../spec/sampling.ts";
import type { ChatRequest } from "../../spec/task.ts";
import type { LoadOptions } from "../../spec/engine.ts";
import type { Parameters } from "./parameters.ts";

/** One conversation, and how it is to be answered. */
export interface Session {
  model: string;
  system: string | undefined;
  /** Without the system message. */
  messages: Message[];
  parameters: Parameters;
  format: OutputFormat | undefined;
  think: ChatRequest["think"];
  hideThinking: boolean;
  verbose: boolean;
  readonly adapters: NonNullable<LoadOptions["adapters"]>;
  /** Files of pictures that go along with the next question. */
  images: readonly string[];
  readonly projector: string | undefined;
}

export interface SessionUse {
  readonly settings: Settings;
  readonly signal: AbortSignal;
}

export function toChatRequest(session: Session, { settings, signal }: SessionUse): ChatRequest {
  const { parameters, system, format, think } = session;
  const load = toLoadOptions(session);
  return {
    model: session.model,
    messages: system === undefined ? session.messages : [{ role: "system", content: system }, ...session.messages],
    sampling: parameters.sampling,
    keepAliveMs: settings.keepAlive,
    overflow: settings.overflow,
    signal,
    ...(load && { load }),
    ...(parameters.maxTokens !== undefined && { maxTokens: parameters.maxTokens }),
    ...(parameters.stop.length > 0 && { stop: parameters.stop }),
    ...(format && { format }),
    ...(think !== undefined && { think }),
  };
}

/** What this session wants beyond the settings; undefined: nothing. */
export function toLoadOptions({ parameters, adapters, projector }: Session): LoadOptions | undefined {
  if (parameters.contextTokens === undefined && adapters.length === 0 && projector === undefined) return undefined;
  return {
    ...(parameters.contextTokens !== undefined && { contextTokens: parameters.contextTokens }),
    ...(adapters.length > 0 && { adapters }),
    ...(projector !== undefined && { projector: { path: projector } }),
  };
}
