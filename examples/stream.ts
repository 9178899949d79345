// The answer as it is written, thoughts apart from it, and how fast it was. Run: node examples/stream.ts [model]
import { chat, dispose, pull } from "../src/index.ts";

const model = process.argv[2] ?? "tinyllama";
await pull(model);

const events = chat({
  model,
  messages: [
    { role: "system", content: "You answer in two sentences." },
    { role: "user", content: "Why is the sky blue?" },
  ],
  sampling: { temperature: 0.7, seed: 1 },
  maxTokens: 200,
});

for await (const event of events) {
  switch (event.type) {
    case "reasoning-delta":
      process.stderr.write(event.text);
      break;
    case "text-delta":
      process.stdout.write(event.text);
      break;
    case "finish": {
      const { usage, timings } = event;
      const rate = (usage.completionTokens * 1000) / timings.generateMs;
      console.error(`\n${usage.completionTokens} tokens, ${rate.toFixed(1)} a second (${event.reason})`);
      break;
    }
    default:
  }
}

await dispose();
