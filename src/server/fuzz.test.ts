import { describe, expect, test } from "vitest";
import { createFakeHearth } from "../../test/fake-hearth.ts";
import { requestApp } from "../../test/http.ts";
import { ollama } from "../dialects/ollama/index.ts";
import { openai } from "../dialects/openai/routes.ts";
import { createApp } from "./app.ts";

/** As JSON text: some of them are no JSON, or more than a double holds. */
const values = [
  "NaN",
  "Infinity",
  "1e309",
  "-1e309",
  '"1"',
  "true",
  "-1",
  "-0",
  "0.5",
  "2147483648",
  "9007199254740993",
  "18446744073709551616",
  "[]",
  "{}",
  "null",
  "[[1]]",
  '{"a":{}}',
  '"' + "x".repeat(5000) + '"',
];

const fields: Readonly<Record<string, readonly string[]>> = {
  "/v1/chat/completions": [
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "stop",
    "seed",
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning_effort",
    "chat_template_kwargs",
    "top_k",
    "min_p",
    "typical_p",
    "repeat_penalty",
    "repetition_penalty",
    "keep_alive",
    "overflow",
    "grammar",
    "ignore_eos",
    "lora",
  ],
  "/v1/completions": ["prompt", "suffix", "echo", "best_of", "logprobs", "max_tokens", "n", "seed", "temperature"],
  "/v1/embeddings": ["model", "input", "encoding_format", "dimensions", "truncate", "keep_alive"],
  "/v1/rerank": ["model", "query", "documents", "top_n", "return_documents", "keep_alive"],
};

const valid: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "/v1/chat/completions": { model: "tiny", messages: [{ role: "user", content: "hi" }] },
  "/v1/completions": { model: "tiny", prompt: "hi" },
  "/v1/embeddings": { model: "tiny", input: "hi" },
  "/v1/rerank": { model: "tiny", query: "q", documents: ["a"] },
};

describe("odd values", () => {
  const app = createApp({ hearth: createFakeHearth(), dialects: [openai, ollama] });
  const headers = { "content-type": "application/json" };

  test.each(Object.keys(fields))("in any field of %s are taken or refused, never a crash", async (path) => {
    const seen: Record<number, number> = {};
    const wrong: string[] = [];
    for (const field of fields[path] ?? []) {
      for (const value of values) {
        const { [field]: _old, ...rest } = valid[path] ?? {};
        const body = `${JSON.stringify(rest).slice(0, -1)},"${field}":${value}}`.replace("{,", "{");
        const response = await requestApp(app, path, { body, headers });
        const answer = await response.text();
        const named = response.status !== 400 || answer.includes('"error":{"message":"');
        if (![200, 400, 404].includes(response.status) || !named) wrong.push(`${field}: ${value} → ${answer}`);
        seen[response.status] = (seen[response.status] ?? 0) + 1;
      }
    }
    expect(wrong).toEqual([]);
    // Neither "refuse all" nor "take all" would be an answer.
    expect(seen[400]).toBeGreaterThan(20);
    expect(seen[200]).toBeGreaterThan(4);
  });

  test.each(["temperature", "top_p", "n", "max_tokens", "seed", "top_k"])(
    "NaN, 1e309, text and true are no %s",
    async (field) => {
      const statuses: number[] = [];
      for (const value of ["NaN", "1e309", '"1"', "true"]) {
        const body = `{"model":"tiny","messages":[{"role":"user","content":"x"}],"${field}":${value}}`;
        statuses.push((await requestApp(app, "/v1/chat/completions", { body, headers })).status);
      }
      expect(statuses).toEqual([400, 400, 400, 400]);
    },
  );
});
