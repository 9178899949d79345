import { describe, expect, test } from "vitest";
import { routeRequest } from "../../../test/conformance/ollama-hearth.ts";
import type { ChatRequest } from "../../spec/task.ts";
import { toChatRequest } from "./chat.ts";
import { decodeContext, encodeContext } from "./context.ts";
import { toCompleteRequest, toPromptRequest } from "./generate.ts";
import { parseChatBody, parseGenerateBody } from "./schema.ts";

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

function chat(body: object): ChatRequest {
  return toChatRequest(parseChatBody({ model: "tiny", ...body }), routeRequest());
}

function prompt(body: object): ChatRequest {
  return toPromptRequest(parseGenerateBody({ model: "tiny", prompt: "Hi", ...body }), routeRequest());
}

function raw(body: object): ReturnType<typeof toCompleteRequest> {
  return toCompleteRequest(parseGenerateBody({ model: "tiny", prompt: "Hi", ...body }), routeRequest());
}

describe("messages", () => {
  test("roles, reasoning and text arrive as they were sent, roles in any case", () => {
    const messages = [
      { role: "System", content: "Be brief." },
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello", thinking: "They greet." },
      { role: "user", content: null },
    ];
    expect(chat({ messages }).messages).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello", reasoning: "They greet." },
      { role: "user", content: "" },
    ]);
  });

  test("tool results find the calls they answer, although Ollama sends no ids", () => {
    const call = (name: string, value: number): object => ({ function: { name, arguments: { value } } });
    const { messages } = chat({
      messages: [
        { role: "assistant", content: "", tool_calls: [call("a", 1), call("b", 2), call("a", 3)] },
        { role: "tool", tool_name: "b", content: "two" },
        { role: "tool", tool_name: "a", content: "one" },
        { role: "tool", content: "three" },
      ],
    });
    expect(messages).toEqual([
      {
        role: "assistant",
        content: "",
        toolCalls: [
          { id: "call00000", name: "a", arguments: '{"value":1}' },
          { id: "call00001", name: "b", arguments: '{"value":2}' },
          { id: "call00002", name: "a", arguments: '{"value":3}' },
        ],
      },
      { role: "tool", content: "two", toolCallId: "call00001", name: "b" },
      { role: "tool", content: "one", toolCallId: "call00000", name: "a" },
      { role: "tool", content: "three", toolCallId: "call00002", name: "a" },
    ]);
  });

  test("ids of the caller are kept", () => {
    const { messages } = chat({
      messages: [
        { role: "assistant", tool_calls: [{ id: "x1", function: { name: "a" } }] },
        { role: "tool", tool_call_id: "x1", content: "one" },
      ],
    });
    expect(messages[0]).toMatchObject({ toolCalls: [{ id: "x1", name: "a", arguments: "{}" }] });
    expect(messages[1]).toEqual({ role: "tool", content: "one", toolCallId: "x1", name: "a" });
  });

  test("an image becomes a part with the type that its bytes say", () => {
    const { messages } = chat({ messages: [{ role: "user", content: "What is this?", images: [png] }] });
    const data = new Uint8Array(Buffer.from(png, "base64"));
    expect(messages[0]?.content).toEqual([
      { type: "image", mediaType: "image/png", data },
      { type: "text", text: "What is this?" },
    ]);
  });

  test.each([
    ["https://example.com/cat.png", "not a URL"],
    ["file:///etc/passwd", "not a URL"],
    ["/etc/passwd", "not a PNG"],
    ["not base64!", "not base64"],
    ["aGVsbG8=", "not a PNG"],
    ["", "not base64"],
  ])("the image %j is refused", (image, reason) => {
    expect(() => chat({ messages: [{ role: "user", images: [image] }] })).toThrow(reason);
  });

  test.each([
    [{ messages: [{ role: "robot", content: "x" }] }, "messages[0].role"],
    [{ messages: [{ role: "user", content: ["x"] }] }, "messages[0].content"],
    [{ messages: "hello" }, "messages"],
    [{ messages: [{ role: "user", tool_calls: [{ function: { name: "a" } }] }] }, "messages[0].tool_calls"],
    [{ tools: [{ type: "function" }] }, "tools[0].function"],
    [{ tools: [{ type: "code", function: { name: "a" } }] }, "tools[0].type"],
    [{ stream: "yes" }, "stream"],
    [{ format: "yaml" }, "format"],
    [{ think: "hard" }, "think"],
    [{ keep_alive: "soon" }, "keep_alive"],
    [{ keep_alive: true }, "keep_alive"],
    [{ options: [] }, "options"],
    [{ top_logprobs: 21, logprobs: true }, "top_logprobs"],
    [{ top_logprobs: 2 }, "top_logprobs"],
    [{ model: "" }, "model"],
    [{ model: 7 }, "model"],
  ])("%j is a 400 that names %s", (body, field) => {
    expect(() => chat(body)).toThrow(expect.objectContaining({ status: 400, details: { field } }));
  });
});

describe("fields beside the messages", () => {
  test("tools, format, think and logprobs", () => {
    const parameters = { type: "object", properties: { city: { type: "string" } } };
    const request = chat({
      tools: [{ type: "function", function: { name: "weather", description: "Weather", parameters } }],
      tool_choice: "required",
      format: { type: "object" },
      think: "low",
      logprobs: true,
      top_logprobs: 3,
    });
    expect(request).toMatchObject({
      tools: [{ name: "weather", description: "Weather", parameters }],
      toolChoice: "required",
      format: { type: "json-schema", schema: { type: "object" } },
      think: "low",
      topLogprobs: 3,
      tenant: "alice",
    });
    expect(chat({ format: "json" }).format).toEqual({ type: "json" });
    expect(chat({ format: "" })).not.toHaveProperty("format");
    expect(chat({ think: "max" }).think).toBe("high");
    expect(chat({ logprobs: true }).topLogprobs).toBe(0);
  });

  test.each([
    [300, 300_000],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["90", 90_000],
    [-1, Infinity],
    ["-1s", Infinity],
    [0, 0],
    ["0", 0],
  ])("keep_alive %j is %d ms", (value, expected) => {
    expect(chat({ keep_alive: value }).keepAliveMs).toBe(expected);
  });

  test("nothing is truncated unless truncate is true", () => {
    expect(chat({})).not.toHaveProperty("overflow");
    expect(chat({ truncate: false }).overflow).toBe("error");
    expect(chat({ truncate: true }).overflow).toBe("truncate-oldest");
    expect(() => chat({ truncate: true, options: { num_keep: 24 } })).toThrow("options.num_keep");
    expect(() => chat({ shift: true })).toThrow("shift is not supported here");
    expect(chat({ shift: false })).not.toHaveProperty("overflow");
  });

  test.each([
    [{ temperature: 0.5 }, 'temperature belongs inside "options"'],
    [{ max_tokens: 5 }, "num_predict"],
    [{ system: "Be brief." }, "role system"],
    [{ keepalive: "5m" }, '"keep_alive" is'],
    [{ messsages: [{}] }, '"messages" is'],
  ])("%j is refused, for it was meant to do something", (body, message) => {
    expect(() => chat(body)).toThrow(message);
  });

  test("fields that mean nothing to anybody are dropped, as Ollama does", () => {
    expect(() => chat({ x: 1, metadata: { a: 1 }, system: "", temperature: null })).not.toThrow();
  });
});

describe("generate", () => {
  test("a prompt is a turn of a chat, with the system text before it", () => {
    expect(prompt({ system: "Be brief." }).messages).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hi" },
    ]);
  });

  test("raw and suffix go to the model without a template", () => {
    expect(raw({ raw: true })).toMatchObject({ prompt: "Hi", special: true });
    expect(raw({ suffix: "}" })).toMatchObject({ prompt: "Hi", suffix: "}" });
    expect(raw({ suffix: "}" })).not.toHaveProperty("special");
  });

  test.each([
    { system: "x" },
    { template: "x" },
    { context: [1] },
    { images: [png] },
    { think: true },
    { suffix: "x" },
  ])("raw with %j is refused", (body) => {
    expect(() => raw({ raw: true, ...body })).toThrow("cannot be combined with raw");
  });

  test("a Jinja template is taken, a Go template refused with the reason", () => {
    const jinja = "{{ bos_token }}{% for message in messages %}{{ message.content }}{% endfor %}";
    expect(prompt({ template: jinja }).template).toBe(jinja);
    for (const go of ["{{ .System }} {{ .Prompt }}", "{{- if .System }}x{{ end }}", "{{ range .Messages }}"])
      expect(() => prompt({ template: go })).toThrow("template is a Go template");
  });

  test("messages and tools belong to chat", () => {
    expect(() => prompt({ messages: [{ role: "user", content: "x" }] })).toThrow("messages belongs to /api/chat");
  });
});

describe("context", () => {
  const messages = [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Grüße 🦊" },
    { role: "assistant", content: "Hello" },
  ] as const;

  test("carries a conversation to the next request", () => {
    const request = prompt({ context: encodeContext(messages), prompt: "And now?" });
    expect(request.messages).toEqual([...messages, { role: "user", content: "And now?" }]);
  });

  test("a new system text takes the place of the old one", () => {
    const request = prompt({ context: encodeContext(messages), system: "Be long." });
    expect(request.messages[0]).toEqual({ role: "system", content: "Be long." });
    expect(request.messages.filter(({ role }) => role === "system")).toHaveLength(1);
  });

  test.each(["", "a", "ab", "abc", "\u0000\u00ff"])("keeps the text %j exactly", (content) => {
    expect(decodeContext(encodeContext([{ role: "user", content }]))).toEqual([{ role: "user", content }]);
  });

  test("what no answer of this server had is refused", () => {
    const [mark = 0, length = 0, ...rest] = encodeContext(messages);
    const tool = encodeContext([{ role: "tool", content: "x" }]);
    for (const context of [[1, 2, 3], [mark], [mark, 1e9], [mark, length, ...rest.slice(1)], [mark, 3, 0xffffff], tool])
      expect(() => prompt({ context })).toThrow("context is not one that this server returned");
    expect(() => prompt({ context: ["a"] })).toThrow("context[0]");
  });
});
