/**
 * The legacy `context` of /api/generate. Ollama documents it as an encoding of the conversation that a client hands
 * back unread; there it is tokens of the rendered prompt, which ties it to one template. Here it is the messages:
 * UTF-8 JSON packed three bytes to a number, so that the next turn is rendered like any chat.
 */
import { z } from "zod";
import type { Message } from "../../spec/message.ts";
import { badField } from "../shared/body.ts";

/** Larger than any vocabulary, so that Ollama's own token arrays are recognized. */
const mark = 0x68_74_68;

const turns = z.array(z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() }));

export function encodeContext(messages: readonly Message[]): number[] {
  const bytes = new TextEncoder().encode(JSON.stringify(messages.map(({ role, content }) => ({ role, content }))));
  const numbers = [mark, bytes.length];
  for (let at = 0; at < bytes.length; at += 3)
    numbers.push(((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0));
  return numbers;
}

/** Throws `bad_request` for numbers that no answer of this server had. */
export function decodeContext(numbers: readonly number[]): Message[] {
  const [first, length = 0, ...packed] = numbers;
  if (first !== mark || packed.length !== Math.ceil(length / 3)) throw foreign();
  const bytes = new Uint8Array(packed.length * 3);
  for (const [index, number] of packed.entries()) bytes.set([number >> 16, number >> 8, number], index * 3);
  try {
    return turns.parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, length))));
  } catch {
    throw foreign();
  }
}

function foreign(): Error {
  return badField("context", "is not one that this server returned; send the conversation to /api/chat instead");
}
