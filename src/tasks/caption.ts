/** A caption by a language model that sees: a chat with one picture. */
import type { Runtime } from "../runtime/contract.ts";
import type { Tasks } from "../spec/perform.ts";
import type { PerformTaskRequest } from "../spec/task.ts";
import { chat } from "./chat.ts";

const question = "Describe this picture in one sentence.";

export async function captionByChat(
  runtime: Runtime,
  request: PerformTaskRequest<"caption">,
): Promise<Tasks["caption"]["result"]> {
  const { task: _, input, onPart, ...options } = request;
  const { image, prompt = question, maxTokens } = input;
  const picture = { type: "image", mediaType: "", data: image.bytes } as const;
  const content = [picture, { type: "text", text: prompt } as const];
  const events = chat(runtime, {
    ...options,
    messages: [{ role: "user", content }],
    ...(maxTokens !== undefined && { maxTokens }),
  });
  let text = "";
  for await (const event of events) {
    if (event.type !== "text-delta") continue;
    text += event.text;
    onPart?.({ text: event.text });
  }
  return { text: text.trim() };
}
