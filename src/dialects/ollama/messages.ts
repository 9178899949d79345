import type { ContentPart, Message, Tool, ToolCall, ToolChoice } from "../../spec/message.ts";
import { toImagePart } from "./image.ts";
import { badField } from "../shared/body.ts";
import type { ChatBody, MessageBody, ToolBody, ToolCallBody } from "./schema.ts";

/** Ollama's messages → ours. Calls without an id get one, and results without an id the id of the call they answer. */
export function toMessages(messages: readonly MessageBody[]): Message[] {
  const calls = createCallIds();
  return messages.map((message, index) => toMessage(message, `messages[${index}]`, calls));
}

function toMessage(message: MessageBody, field: string, calls: CallIds): Message {
  const { role } = message;
  if (role !== "assistant" && message.tool_calls?.length)
    throw badField(`${field}.tool_calls`, `only an assistant calls tools; the role is ${role}`);
  const content = toContent(message.content ?? "", message.images ?? [], `${field}.images`);
  if (role === "tool") return { role, content, ...toToolNames(message, calls) };
  if (role !== "assistant") return { role, content };
  const toolCalls = (message.tool_calls ?? []).map((call) => calls.open(call));
  return {
    role,
    content,
    ...(message.thinking ? { reasoning: message.thinking } : {}),
    ...(toolCalls.length > 0 ? { toolCalls } : {}),
  };
}

function toToolNames(message: MessageBody, calls: CallIds): { toolCallId?: string; name?: string } {
  const answered = calls.close(message.tool_call_id || undefined, message.tool_name || undefined);
  const toolCallId = message.tool_call_id || answered?.id;
  const name = message.tool_name || answered?.name;
  return { ...(toolCallId ? { toolCallId } : {}), ...(name ? { name } : {}) };
}

/** Plain text, or parts when there are images; images come before the text that speaks of them. */
export function toContent(text: string, images: readonly string[], field: string): string | ContentPart[] {
  if (images.length === 0) return text;
  const parts: ContentPart[] = images.map((image, index) => toImagePart(image, `${field}[${index}]`));
  return text === "" ? parts : [...parts, { type: "text", text }];
}

export function toTools(tools: readonly ToolBody[]): Tool[] {
  return tools.map(({ function: { name, description, parameters } }) => ({
    name,
    ...(description ? { description } : {}),
    parameters: parameters ?? { type: "object", properties: {} },
  }));
}

export function toToolChoice(choice: ChatBody["tool_choice"]): ToolChoice | undefined {
  if (choice === null || choice === undefined) return undefined;
  return typeof choice === "string" ? choice : { name: choice.function.name };
}

interface CallIds {
  open(call: ToolCallBody): ToolCall;
  /** The oldest open call with this id, or this name, or any. */
  close(id: string | undefined, name: string | undefined): ToolCall | undefined;
}

function createCallIds(): CallIds {
  const waiting: ToolCall[] = [];
  let made = 0;
  return {
    open(wire) {
      // Nine letters and digits: the only form that Mistral's templates accept.
      const id = wire.id || `call${String(made++).padStart(5, "0")}`;
      const call = { id, name: wire.function.name, arguments: JSON.stringify(wire.function.arguments ?? {}) };
      waiting.push(call);
      return call;
    },
    close(id, name) {
      const index = waiting.findIndex((call) => (id ? call.id === id : name === undefined || call.name === name));
      return index === -1 ? undefined : waiting.splice(index, 1)[0];
    },
  };
}
