// One question, one answer. Run: node examples/chat.ts [model]
import { chat, dispose, pull } from "../src/index.ts";

const model = process.argv[2] ?? "tinyllama";
await pull(model);

let answer = "";
for await (const event of chat({ model, messages: [{ role: "user", content: "What is the capital of France?" }] })) {
  if (event.type === "text-delta") answer += event.text;
}
console.log(answer.trim());

await dispose();
