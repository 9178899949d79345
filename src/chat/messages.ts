/** Messages as chat templates expect them: the shape that the Hugging Face documentation gives. */
import { HearthError } from "../error.ts";
import type { ContentPart, Message, Tool } from "../spec/message.ts";
import { messageText } from "../spec/message.ts";
import { splitReasoning } from "./output/reasoning.ts";
import type { Shield } from "./shield.ts";

export type TemplateMessage = Readonly<Record<string, unknown>>;

/** What a template can do with messages; found by `probeTemplate`. */
export interface MessageShape {
  /** Arguments of tool calls as an object, as JSON text, or not at all. */
  readonly callArguments: "object" | "text" | "none";
  readonly toolResults: boolean;
  /** The template wants content as a list of parts. */
  readonly contentParts: boolean;
  /** What it writes for a part that is a picture; undefined: it takes none, and a picture stands in its text. */
  readonly pictureMark: string | undefined;
  /** Call ids must be nine letters and digits. */
  readonly shortIds: boolean;
}

type Content = Message["content"];

export interface MessageOptions {
  readonly shape: MessageShape;
  readonly shield: Shield;
}

export function toTemplateMessages(messages: readonly Message[], options: MessageOptions): TemplateMessage[] {
  const names = new Map<string, string>();
  return messages.map((message) => {
    if (message.role === "assistant") {
      for (const call of message.toolCalls ?? []) names.set(call.id, call.name);
      return assistantMessage(message, options);
    }
    if (message.role === "tool") {
      const name = message.name ?? names.get(message.toolCallId ?? "");
      return toolMessage({ ...message, ...(name !== undefined && { name }) }, options);
    }
    return { role: message.role, content: content(message.content, options) };
  });
}

function content(value: Content, { shape, shield }: MessageOptions): unknown {
  if (hasPicture(value) && shape.pictureMark !== undefined) {
    return value.flatMap((part) => {
      if (part.type === "image") return [{ type: "image" }];
      return part.type === "text" ? [{ type: "text", text: shield.hide(part.text) }] : [];
    });
  }
  const text = hasPicture(value) ? inText(value, shield) : shield.hide(messageText(value));
  return shape.contentParts ? [{ type: "text", text }] : text;
}

export function hasPicture(value: Content): value is readonly ContentPart[] {
  return typeof value !== "string" && value.some(({ type }) => type === "image");
}

/** Pictures on lines of their own. */
function inText(parts: readonly ContentPart[], shield: Shield): string {
  const texts = parts.flatMap((part) => {
    if (part.type === "image") return [shield.picture({ bytes: part.data })];
    return part.type === "text" && part.text !== "" ? [shield.hide(part.text)] : [];
  });
  return texts.join("\n");
}

/** Two contents as one, with this text between them. */
export function joinContents(left: Content, right: Content, between: string): Content {
  if (!hasPicture(left) && !hasPicture(right)) return `${messageText(left)}${between}${messageText(right)}`;
  return [...toParts(left), { type: "text", text: between }, ...toParts(right)];
}

function toParts(value: Content): readonly ContentPart[] {
  return typeof value === "string" ? [{ type: "text", text: value }] : value;
}

function assistantMessage(message: Message & { readonly role: "assistant" }, options: MessageOptions): TemplateMessage {
  const { shape, shield } = options;
  const calls = message.toolCalls ?? [];
  const { reasoning, text } = splitReasoning(messageText(message.content));
  const thought = message.reasoning ?? reasoning;
  const result: Record<string, unknown> = { role: "assistant" };
  if (thought) result["reasoning_content"] = shield.hide(thought);
  if (calls.length === 0 || shape.callArguments !== "none") {
    result["content"] = content(text, options);
    if (calls.length > 0) {
      result["tool_calls"] = calls.map((call) => ({
        id: callId(call.id, shape),
        type: "function",
        function: { name: shield.hide(call.name), arguments: callArguments(call.arguments, options) },
      }));
    }
    return result;
  }
  const lines = calls.map((call) => JSON.stringify({ name: call.name, arguments: parseArguments(call.arguments) }));
  result["content"] = content([text, ...lines].filter((line) => line !== "").join("\n"), options);
  return result;
}

function toolMessage(message: Message & { readonly role: "tool" }, options: MessageOptions): TemplateMessage {
  const { shape, shield } = options;
  if (!shape.toolResults) {
    const label = message.name === undefined ? "Result of the tool call" : `Result of the tool "${message.name}"`;
    return { role: "user", content: content(joinContents(`${label}:`, message.content, "\n"), options) };
  }
  return {
    role: "tool",
    content: content(message.content, options),
    ...(message.name !== undefined && { name: shield.hide(message.name) }),
    ...(message.toolCallId !== undefined && { tool_call_id: callId(message.toolCallId, shape) }),
  };
}

function callArguments(text: string, { shape, shield }: MessageOptions): unknown {
  return shape.callArguments === "object" ? shield.hideAll(parseArguments(text)) : shield.hide(text);
}

function parseArguments(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    throw badArguments(error);
  }
  throw badArguments();
}

function badArguments(cause?: unknown): HearthError {
  return new HearthError("bad_request", "The arguments of a tool call in the messages are not a JSON object.", {
    details: { field: "messages" },
    cause,
  });
}

/** Ids of our own and of other servers are longer than some templates allow; equal ids stay equal. */
function callId(id: string, { shortIds }: MessageShape): string {
  if (!shortIds || /^[A-Za-z0-9]{9}$/.test(id)) return id;
  let hash = 0n;
  for (const char of id) hash = BigInt.asUintN(60, hash * 1_000_003n + BigInt(char.codePointAt(0) ?? 0));
  return hash.toString(36).padStart(9, "0").slice(-9);
}

/** Tools as templates expect them. */
export function toTemplateTools(tools: readonly Tool[], shield: Shield): readonly unknown[] {
  return tools.map(({ name, description, parameters }) => ({
    type: "function",
    function: shield.hideAll({ name, description: description ?? "", parameters }),
  }));
}

/** For templates without a system role: its text goes before the first message of the user. */
export function mergeSystem(messages: readonly Message[]): Message[] {
  const system = messages
    .filter(({ role }) => role === "system")
    .map((message) => messageText(message.content))
    .join("\n\n");
  const rest = messages.filter(({ role }) => role !== "system");
  if (system === "") return rest;
  const first = rest.findIndex(({ role }) => role === "user");
  if (first < 0) return [{ role: "user", content: system }, ...rest];
  return rest.map((message, index) =>
    index === first ? { role: "user", content: joinContents(system, message.content, "\n\n") } : message,
  );
}

/** For templates that want user and assistant to alternate: neighbours of one role become one message. */
export function mergeNeighbours(messages: readonly Message[]): Message[] {
  const merged: Message[] = [];
  for (const message of messages) {
    const last = merged.at(-1);
    if (last && last.role === message.role && (last.role === "user" || last.role === "system")) {
      merged[merged.length - 1] = { role: last.role, content: joinContents(last.content, message.content, "\n\n") };
    } else merged.push(message);
  }
  return merged;
}
