// The model calls a function of this program, gets the result, and answers. Run: node examples/tools.ts [model]
import { chat, dispose, pull } from "../src/index.ts";
import type { ChatEvent, Message, Tool, ToolCall } from "../src/index.ts";

const model = process.argv[2] ?? "qwen3:0.6b";
await pull(model);

const add: Tool = {
  name: "add",
  description: "Adds two numbers",
  parameters: {
    type: "object",
    properties: { a: { type: "number" }, b: { type: "number" } },
    required: ["a", "b"],
    additionalProperties: false,
  },
};

/** The text and the calls of one answer. */
async function answer(events: AsyncIterable<ChatEvent>): Promise<{ content: string; toolCalls: ToolCall[] }> {
  let content = "";
  const toolCalls: ToolCall[] = [];
  for await (const event of events) {
    if (event.type === "text-delta") content += event.text;
    if (event.type === "tool-call-end") toolCalls.push({ id: event.id, name: event.name, arguments: event.arguments });
  }
  return { content, toolCalls };
}

const messages: Message[] = [{ role: "user", content: "What is 1234 plus 4321? Use the tool." }];
const first = await answer(chat({ model, messages, tools: [add], toolChoice: { name: "add" } }));
messages.push({ role: "assistant", ...first });

for (const call of first.toolCalls) {
  const { a, b } = JSON.parse(call.arguments) as { a: number; b: number };
  console.log(`${call.name}(${a}, ${b}) = ${a + b}`);
  messages.push({ role: "tool", toolCallId: call.id, name: call.name, content: String(a + b) });
}

const second = await answer(chat({ model, messages, tools: [add], toolChoice: "none", maxTokens: 200 }));
console.log(second.content.trim());

await dispose();
