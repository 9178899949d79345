// Many questions at once: one loaded model answers them together. Run: node examples/many.ts [model]
import { chat, dispose, pull } from "../src/index.ts";

const model = process.argv[2] ?? "tinyllama";
await pull(model);

const countries = ["France", "Japan", "Peru", "Kenya", "Norway", "India", "Chile", "Egypt"];
const started = performance.now();

async function capital(country: string): Promise<number> {
  const messages = [
    { role: "user", content: `What is the capital of ${country}? Answer with the name alone.` },
  ] as const;
  let answer = "";
  let tokens = 0;
  for await (const event of chat({ model, messages, maxTokens: 24, sampling: { temperature: 0 } })) {
    if (event.type === "text-delta") answer += event.text;
    if (event.type === "finish") tokens = event.usage.completionTokens;
  }
  console.log(`${country}: ${answer.trim()}`);
  return tokens;
}

const counts = await Promise.all(countries.map(capital));
const seconds = (performance.now() - started) / 1000;
const total = counts.reduce((sum, count) => sum + count, 0);
console.error(`${total} tokens in ${seconds.toFixed(1)} s: ${(total / seconds).toFixed(1)} a second together`);

await dispose();
