import { describe, expect, it } from "vitest";
import type { Tool } from "../../spec/message.ts";
import type { OutputEvent } from "./event.ts";
import { detectToolFormat } from "./formats.ts";
import type { ToolFormat } from "./formats.ts";
import { createOutputParser } from "./parser.ts";
import type { OutputParserOptions } from "./parser.ts";
import { detectReasoning, openReasoning, reasoningTags } from "./reasoning.ts";

const tools: readonly Tool[] = [
  {
    name: "weather",
    parameters: { type: "object", properties: { place: { type: "string" }, days: { type: "integer" } } },
  },
  { name: "clock", parameters: {} },
];

interface Parsed {
  text: string;
  reasoning: string;
  calls: { name: string; arguments: string }[];
}

type Options = Omit<Partial<OutputParserOptions>, "format">;

/** Feeds the pieces and adds the events up. */
function parse(pieces: readonly string[], format: ToolFormat, options: Options = {}): Parsed {
  const parser = createOutputParser({ format, tools, newId: () => "id", ...options });
  const events = [...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()];
  const parsed: Parsed = { text: "", reasoning: "", calls: [] };
  const open = new Map<number, string>();
  for (const event of events) add(parsed, open, event);
  expect(parser.calls).toBe(parsed.calls.length);
  return parsed;
}

function add(parsed: Parsed, open: Map<number, string>, event: OutputEvent): void {
  switch (event.type) {
    case "text-delta":
      // No `expect`: some tests have hundreds of thousands of events.
      if (event.text === "") throw new Error("an event without text");
      parsed.text += event.text;
      break;
    case "reasoning-delta":
      parsed.reasoning += event.text;
      break;
    case "tool-call-start":
      expect(event.callIndex).toBe(open.size);
      open.set(event.callIndex, "");
      break;
    case "tool-call-delta":
      open.set(event.callIndex, (open.get(event.callIndex) ?? "") + event.argumentsDelta);
      break;
    case "tool-call-end":
      expect(open.get(event.callIndex)).toBe(event.arguments);
      parsed.calls.push({ name: event.name, arguments: event.arguments });
      break;
  }
}

/** Parses the text whole, cut in two at every place, and character by character: all must be equal. */
function parseEveryWay(text: string, format: ToolFormat, options: Options = {}): Parsed {
  const whole = parse([text], format, options);
  for (let at = 1; at < text.length; at++) {
    expect(parse([text.slice(0, at), text.slice(at)], format, options)).toEqual(whole);
  }
  expect(parse(text.split(""), format, options)).toEqual(whole);
  return whole;
}

const think: Options = { reasoning: { tags: reasoningTags } };
const rain = { name: "weather", arguments: '{"place":"Oslo"}' };
const now = { name: "clock", arguments: "{}" };

describe("tool calls in the text of a model", () => {
  const cases: readonly (readonly [string, ToolFormat, string, Partial<Parsed>])[] = [
    [
      "Hermes and Qwen",
      "hermes",
      '<tool_call>\n{"name": "weather", "arguments": {"place": "Oslo"}}\n</tool_call>',
      { calls: [rain] },
    ],
    [
      "two calls after words",
      "hermes",
      'Let me see.\n<tool_call>\n{"name": "weather", "arguments": {"place": "Oslo"}}\n</tool_call>\n<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>\n',
      { text: "Let me see.\n", calls: [rain, now] },
    ],
    ["a call whose end mark never came", "hermes", '<tool_call>{"name": "clock"}', { calls: [now] }],
    [
      "a call with its own end mark inside a text",
      "hermes",
      '<tool_call>{"name": "weather", "arguments": {"place": "</tool_call>"}}</tool_call>',
      { calls: [{ name: "weather", arguments: '{"place":"</tool_call>"}' }] },
    ],
    [
      "words after a call",
      "hermes",
      '<tool_call>{"name": "clock", "arguments": {}}</tool_call>\n\nDone.',
      { text: "Done.", calls: [now] },
    ],
    ["a bare call of a Hermes model", "hermes", '\n{"name": "clock", "arguments": {}}', { calls: [now] }],
    [
      "Qwen's coder",
      "hermes",
      "<tool_call>\n<function=weather>\n<parameter=place>\n12\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>",
      { calls: [{ name: "weather", arguments: '{"place":"12","days":3}' }] },
    ],
    [
      "GLM",
      "hermes",
      "<tool_call>weather\n<arg_key>place</arg_key>\n<arg_value>7</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>",
      { calls: [{ name: "weather", arguments: '{"place":"7","days":3}' }] },
    ],
    ["GLM without arguments", "hermes", "<tool_call>clock\n</tool_call>", { calls: [now] }],
    [
      "Phi and Granite",
      "json",
      '<|tool_call|>[{"name": "weather", "arguments": {"place": "Oslo"}}]<|/tool_call|>',
      { calls: [rain] },
    ],
    [
      "LFM",
      "json",
      '<|tool_call_start|>[{"name": "clock", "arguments": {}}]<|tool_call_end|>Wait.',
      { text: "Wait.", calls: [now] },
    ],
    [
      "Llama 3 with its tag",
      "llama3",
      '<|python_tag|>{"name": "weather", "parameters": {"place": "Oslo"}}',
      { calls: [rain] },
    ],
    [
      "Llama 3 without a tag, twice",
      "llama3",
      '{"name": "weather", "parameters": {"place": "Oslo"}}; {"type": "function", "name": "clock", "parameters": {}}',
      { calls: [rain, now] },
    ],
    [
      "Mistral's list",
      "mistral",
      '[TOOL_CALLS] [{"name": "weather", "arguments": {"place": "Oslo"}}, {"name": "clock", "arguments": {}}]',
      { calls: [rain, now] },
    ],
    [
      "Mistral's newer form, twice",
      "mistral",
      '[TOOL_CALLS]weather[ARGS]{"place": "Oslo"}[TOOL_CALLS]clock[ARGS]{}',
      { calls: [rain, now] },
    ],
    [
      "Mistral's form with an id",
      "mistral",
      '[TOOL_CALLS]weather[CALL_ID]abc123456[ARGS]{"place": "Oslo"}',
      { calls: [rain] },
    ],
    ["Mistral without its marks", "mistral", '[{"name": "clock", "arguments": {}}]', { calls: [now] }],
    [
      "DeepSeek R1",
      "deepseek",
      '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{"place": "Oslo"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
      { calls: [rain] },
    ],
    [
      "DeepSeek V3.1, twice",
      "deepseek",
      '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{"place": "Oslo"}<｜tool▁call▁end｜><｜tool▁call▁begin｜>clock<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
      { calls: [rain, now] },
    ],
    ["plain JSON", "json", '{"name": "weather", "arguments": {"place": "Oslo"}}', { calls: [rain] }],
    ["fenced JSON", "json", '```json\n{"name": "weather", "arguments": {"place": "Oslo"}}\n```', { calls: [rain] }],
    [
      "the shape of OpenAI",
      "json",
      '{"tool_calls": [{"id": "1", "type": "function", "function": {"name": "weather", "arguments": "{\\"place\\": \\"Oslo\\"}"}}]}',
      { calls: [rain] },
    ],
    [
      "arguments in a text",
      "hermes",
      '<tool_call>{"name": "weather", "arguments": "{\\"place\\": \\"Oslo\\"}"}</tool_call>',
      { calls: [rain] },
    ],
    [
      "numbers too large to round",
      "json",
      '{"name": "weather", "arguments": {"days": 1234567890123456789}}',
      { calls: [{ name: "weather", arguments: '{"days":1234567890123456789}' }] },
    ],
    [
      "harmony",
      "harmony",
      '<|channel|>analysis<|message|>Rain?<|end|><|start|>assistant<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"place": "Oslo"}<|call|>',
      { reasoning: "Rain?", calls: [rain] },
    ],
    [
      "harmony with the recipient before the channel",
      "harmony",
      "<|start|>assistant to=functions.clock<|channel|>commentary json<|message|>{}<|call|>",
      { calls: [now] },
    ],
  ];
  it.for(cases)("are found: %s", ([, format, text, expected]) => {
    expect(parseEveryWay(text, format)).toEqual({ text: "", reasoning: "", calls: [], ...expected });
  });

  const texts: readonly (readonly [string, ToolFormat, string])[] = [
    ["a tool that was not offered", "hermes", 'a <tool_call>{"name": "rm", "arguments": {}}</tool_call> b'],
    ["a call that breaks off", "hermes", '<tool_call>{"name": "weather", "arguments": {"pla'],
    ["broken JSON", "hermes", '<tool_call>{"name": "weather", \'arguments\'}</tool_call>'],
    ["talk about the mark", "hermes", "Write <tool_call> first, then </tool_call>. <tool"],
    ["arguments that are no object", "hermes", '<tool_call>{"name": "weather", "arguments": [1]}</tool_call>'],
    ["arguments that are a large number", "json", '{"name": "weather", "arguments": 1234567890123456789}'],
    ["an answer in JSON", "json", '{"result": [1, 2, {"name": "weather"}]}'],
    ["a list in brackets", "json", "[1] One source, [2] another."],
    ["a list of JSON", "json", "[1, 2, 3]"],
    ["an object without a name", "llama3", '{"type": "object", "x": 1}'],
    ["code in a fence", "json", "```js\nlet x = 1;\n```\n"],
    ["JSON in a fence", "json", '```json\n{"a": 1}\n```'],
    ["one backtick", "json", "`x` is code"],
    ["white space alone", "hermes", " \n\n "],
    ["Mistral's mark alone", "mistral", "[TOOL_CALLS]"],
    ["Mistral's mark and words", "mistral", "[TOOL_CALLS] none needed"],
    ["a bracket", "mistral", "[TOOL is a word"],
    ["a function without an end", "hermes", "<tool_call>\n<function=weather>\n<parameter=place>\nOslo"],
    ["a name without an end", "mistral", `[TOOL_CALLS]${"x".repeat(200)}[ARGS]{}`],
    ["harmony's call of an unknown tool", "harmony", "<|channel|>commentary to=functions.rm<|message|>{}"],
    ["plain text of a harmony model", "harmony", "Hello < there"],
    ["nothing", "hermes", ""],
  ];
  it.for(texts)("come back as text when they are none: %s", ([, format, text]) => {
    expect(parseEveryWay(text, format)).toEqual({ text, reasoning: "", calls: [] });
  });

  it("are found after a false start", () => {
    const text = '<tool_call><tool_call>{"name": "clock", "arguments": {}}</tool_call>';
    expect(parseEveryWay(text, "hermes")).toEqual({ text: "<tool_call>", reasoning: "", calls: [now] });
  });

  it("are not looked for when the request has no tools", () => {
    const text = '<tool_call>{"name": "clock", "arguments": {}}</tool_call>';
    const parser = createOutputParser({ format: "hermes" });
    expect(parser.active).toBe(false);
    expect(parser.push(text)).toEqual([{ type: "text-delta", text }]);
    expect(parser.end()).toEqual([]);
  });

  it("leave ordinary text flowing: only what may be a mark waits", () => {
    const parser = createOutputParser({ format: "hermes", tools });
    expect(parser.push("The answer")).toEqual([{ type: "text-delta", text: "The answer" }]);
    expect(parser.push(" is <to")).toEqual([{ type: "text-delta", text: " is " }]);
    expect(parser.push("day>")).toEqual([{ type: "text-delta", text: "<today>" }]);
  });

  it("do not hold an answer in JSON back once its first key shows that it is none", () => {
    const parser = createOutputParser({ format: "json", tools });
    expect(parser.push('{"')).toEqual([]);
    expect(parser.push("res")).toEqual([{ type: "text-delta", text: '{"res' }]);
  });

  it("have ids that nobody can guess", () => {
    const parser = createOutputParser({ format: "json", tools });
    const ids = Array.from(
      { length: 50 },
      () => createOutputParser({ format: "json", tools }).push('{"name": "clock"}')[0],
    );
    expect(new Set(ids.map((event) => event?.type === "tool-call-start" && event.id)).size).toBe(50);
    expect(parser.push('{"name": "clock"}')[0]).toMatchObject({ id: expect.stringMatching(/^call_[0-9a-f]{24}$/) });
  });

  it("are parsed in linear time, whatever the model writes", () => {
    const hostile = [
      '<tool_call>{"name":',
      "<tool_call>",
      "[TOOL_CALLS]a",
      '{"name": "',
      "```json\n",
      " \n",
      "<",
      "[[[[",
      '<tool_call>{"name":"x"}',
    ];
    for (const format of ["hermes", "mistral", "deepseek", "json", "llama3", "harmony"] as const) {
      for (const piece of hostile) {
        const started = performance.now();
        parse(
          Array.from({ length: 6000 }, () => piece),
          format,
          think,
        );
        expect(performance.now() - started).toBeLessThan(1000);
      }
    }
  });
});

describe("the thoughts of a model", () => {
  it.for(reasoningTags.map(({ open, close }) => [open, close] as const))(
    "are split off between %s and %s",
    ([open, close]) => {
      const parsed = parseEveryWay(`\n${open}\nhm, \n\n hm\n${close}\n\n  Yes.\n`, "hermes", think);
      expect(parsed).toEqual({ reasoning: "hm, \n\n hm", text: "Yes.\n", calls: [] });
    },
  );

  it("may have been opened by the prompt", () => {
    const inside = openReasoning("<|Assistant|><think>\n");
    const parsed = parseEveryWay("hm</think>Yes.", "hermes", { reasoning: { tags: reasoningTags, inside } });
    expect(parsed).toEqual({ reasoning: "hm", text: "Yes.", calls: [] });
  });

  it("may be all there is when the answer is cut off", () => {
    expect(parseEveryWay("<think>hm </thi", "hermes", think)).toEqual({ reasoning: "hm </thi", text: "", calls: [] });
  });

  it("may be empty", () => {
    expect(parseEveryWay("<think>\n\n</think>\n\nYes.", "hermes", think)).toEqual({
      reasoning: "",
      text: "Yes.",
      calls: [],
    });
  });

  it("count only at the beginning of an answer", () => {
    const text = "The tag <think> opens </think> thoughts.";
    expect(parseEveryWay(text, "hermes", think)).toEqual({ reasoning: "", text, calls: [] });
  });

  it("come before a call, and marks inside them are none", () => {
    const text = '<think>I could <tool_call></think>\n<tool_call>{"name": "clock", "arguments": {}}</tool_call>';
    expect(parseEveryWay(text, "hermes", think)).toEqual({ reasoning: "I could <tool_call>", text: "", calls: [now] });
  });

  it("are the analysis of harmony", () => {
    const text = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Yes.<|return|>";
    expect(parseEveryWay(text, "harmony", think)).toEqual({ reasoning: "hm", text: "Yes.", calls: [] });
  });

  it("do not swallow an answer that begins with much white space", () => {
    const text = `${" ".repeat(5000)}<think>x</think>`;
    const pieces = text.match(/.{1,97}/gs) ?? [];
    expect(parse(pieces, "hermes", think)).toEqual(parse([text], "hermes", think));
  });

  it("keep long white space inside, however it arrives", () => {
    const text = `<think>a${"\n".repeat(9000)}b${"\n".repeat(5000)}</think>c`;
    const pieces = text.match(/.{1,1009}/gs) ?? [];
    const whole = parse([text], "hermes", think);
    expect(parse(pieces, "hermes", think)).toEqual(whole);
    expect(whole.text).toBe("c");
    expect(whole.reasoning).toBe(`a${"\n".repeat(9000)}b${"\n".repeat(904)}`);
  });

  it("are found by the marks of the template", () => {
    expect(detectReasoning("… </seed:think> …").map(({ open }) => open)).toEqual(["<seed:think>"]);
    expect(detectReasoning("no marks").map(({ open }) => open)).toEqual(["<think>"]);
  });
});

describe("random model text", () => {
  it("gives the same whole and in pieces, for every family", () => {
    const words = [
      "<tool_call>",
      "</tool_call>",
      '{"name": "clock", "arguments": {}}',
      '{"name": "no"}',
      "[TOOL_CALLS]",
      "[ARGS]",
      "clock",
      "{}",
      "[",
      "]",
      "<|python_tag|>",
      "; ",
      "<think>",
      "</think>",
      "\n",
      " ",
      "text",
      "```json\n",
      "```",
      "<｜tool▁call▁begin｜>",
      "<｜tool▁sep｜>",
      "<|channel|>",
      "final",
      "analysis",
      "<|message|>",
      "<|end|>",
      "<|start|>",
      " to=functions.clock",
      '"',
      "\\",
      "<function=clock>",
      "</function>",
    ];
    let state = 42;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (const format of ["hermes", "mistral", "deepseek", "json", "llama3", "harmony"] as const) {
      for (let round = 0; round < 600; round++) {
        const text = Array.from({ length: 1 + random(9) }, () => words[random(words.length)] ?? "").join("");
        const options = random(2) === 0 ? think : {};
        const whole = parse([text], format, options);
        const pieces: string[] = [];
        for (let at = 0; at < text.length;) {
          const next = at + 1 + random(6);
          pieces.push(text.slice(at, next));
          at = next;
        }
        expect({ text, parsed: parse(pieces, format, options) }).toEqual({ text, parsed: whole });
      }
    }
  });
});

describe("a call that is enforced", () => {
  it("is all there is", () => {
    const text = '{"name": "weather", "arguments": {"place": "Oslo"}}';
    expect(parseEveryWay(text, "hermes", { forced: true })).toEqual({ text: "", reasoning: "", calls: [rain] });
  });

  it("is nothing when it was cut off", () => {
    expect(parseEveryWay('{"name": "weather", "argu', "hermes", { forced: true })).toEqual({
      text: "",
      reasoning: "",
      calls: [],
    });
  });
});

describe("the family of a template", () => {
  it("is known by the marks it mentions", () => {
    const marks: Readonly<Record<string, ToolFormat>> = {
      "<tool_call>": "hermes",
      "[TOOL_CALLS]": "mistral",
      "<|python_tag|>": "llama3",
      "<｜tool▁call▁begin｜>": "deepseek",
      "<|channel|>analysis": "harmony",
      nothing: "json",
    };
    for (const [mark, format] of Object.entries(marks)) expect(detectToolFormat(`… ${mark} …`)).toBe(format);
  });
});
