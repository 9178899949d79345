/** How the main model families write tool calls. Sources: their model cards and chat templates. */
import { parseExact, readCalls, toArguments } from "./json.ts";
import type { RawCall } from "./json.ts";
import type { CallPattern, Capture, KnownTools, PatternItem } from "./pattern.ts";

export type ToolFormat = "hermes" | "llama3" | "mistral" | "deepseek" | "harmony" | "json";

/** The family whose marks a chat template mentions. */
export function detectToolFormat(template: string): ToolFormat {
  if (template.includes("<|channel|>")) return "harmony";
  if (template.includes("<tool_call>")) return "hermes";
  if (template.includes("[TOOL_CALLS]")) return "mistral";
  if (template.includes("tool▁call▁begin")) return "deepseek";
  if (template.includes("<|python_tag|>")) return "llama3";
  if (template.includes('"parameters": dictionary of argument')) return "llama3";
  return "json";
}

/** What is put before the forced call of a `required` or named tool, and what its arguments are called. */
export const callOpeners: Readonly<
  Record<ToolFormat, { readonly opener: string; readonly key: "arguments" | "parameters" }>
> = {
  hermes: { opener: "<tool_call>\n", key: "arguments" },
  llama3: { opener: "", key: "parameters" },
  mistral: { opener: "[TOOL_CALLS][", key: "arguments" },
  deepseek: { opener: "", key: "arguments" },
  harmony: { opener: "<|channel|>final<|message|>", key: "arguments" },
  json: { opener: "", key: "arguments" },
};

const space: PatternItem = { kind: "space" };
const json: PatternItem = { kind: "json" };
const name: PatternItem = { kind: "name" };
const anyJson: PatternItem = { kind: "json", any: true };
const literal = (text: string): PatternItem => ({ kind: "literal", text });
const maybe = (text: string): PatternItem => ({ kind: "literal", text, optional: true });

const fromBody = ({ body }: Capture): readonly RawCall[] | undefined => readCalls(body);
const fromNameAndBody = ({ name: called, body }: Capture): readonly RawCall[] | undefined => {
  const args = toArguments(parseExact(body));
  return args === undefined ? undefined : [{ name: called, arguments: args }];
};

const begin = "<｜tool▁calls▁begin｜>";
const callBegin = "<｜tool▁call▁begin｜>";
const callEnd = "<｜tool▁call▁end｜>";
const separator = "<｜tool▁sep｜>";
const deepseekTail = [space, maybe(callEnd), space, maybe("<｜tool▁calls▁end｜>")];

const bare: CallPattern = { items: [json], toCalls: fromBody };
const fenced: CallPattern = {
  items: [literal("```"), maybe("json"), space, json, space, literal("```")],
  toCalls: fromBody,
};

const marked = (open: string, close: string): CallPattern => ({
  marker: open,
  items: [literal(open), space, json, space, maybe(close)],
  toCalls: fromBody,
});

/** Every family also writes bare JSON at times, most of all when its special tokens are lost in a quantization. */
export const toolPatterns: Readonly<Record<Exclude<ToolFormat, "harmony">, readonly CallPattern[]>> = {
  hermes: [
    marked("<tool_call>", "</tool_call>"),
    {
      marker: "<tool_call>",
      items: [
        literal("<tool_call>"),
        space,
        literal("<function="),
        name,
        literal(">"),
        { kind: "until", text: "</function>" },
        space,
        maybe("</tool_call>"),
      ],
      toCalls: fromTags,
    },
    {
      marker: "<tool_call>",
      items: [
        literal("<tool_call>"),
        space,
        name,
        space,
        literal("<arg_key>"),
        { kind: "until", text: "</tool_call>" },
      ],
      toCalls: fromKeys,
    },
    {
      marker: "<tool_call>",
      items: [literal("<tool_call>"), space, name, space, literal("</tool_call>")],
      toCalls: ({ name: called }) => [{ name: called, arguments: "{}" }],
    },
    bare,
  ],
  llama3: [
    {
      marker: "<|python_tag|>",
      items: [literal("<|python_tag|>"), space, json, space, maybe(";")],
      toCalls: fromBody,
    },
    { items: [json, space, maybe(";")], toCalls: fromBody },
  ],
  mistral: [
    { marker: "[TOOL_CALLS]", items: [literal("[TOOL_CALLS]"), space, json], toCalls: fromBody },
    {
      marker: "[TOOL_CALLS]",
      items: [literal("[TOOL_CALLS]"), space, name, literal("[ARGS]"), space, anyJson],
      toCalls: fromNameAndBody,
    },
    {
      marker: "[TOOL_CALLS]",
      items: [
        literal("[TOOL_CALLS]"),
        space,
        name,
        literal("[CALL_ID]"),
        { kind: "until", text: "[ARGS]" },
        space,
        anyJson,
      ],
      toCalls: fromNameAndBody,
    },
    bare,
  ],
  deepseek: [
    {
      marker: callBegin,
      items: [literal(callBegin), name, literal(separator), space, anyJson, ...deepseekTail],
      toCalls: fromNameAndBody,
    },
    {
      marker: callBegin,
      items: [
        literal(callBegin),
        literal("function"),
        literal(separator),
        name,
        space,
        literal("```json"),
        space,
        anyJson,
        space,
        literal("```"),
        ...deepseekTail,
      ],
      toCalls: fromNameAndBody,
    },
    { marker: begin, items: [literal(begin)], toCalls: () => [] },
    bare,
    fenced,
  ],
  json: [
    bare,
    fenced,
    marked("<|tool_call|>", "<|/tool_call|>"),
    marked("<|tool_call_start|>", "<|tool_call_end|>"),
    marked("<tool_call>", "</tool_call>"),
  ],
};

/** `<parameter=key>` … `</parameter>` pairs. Values that are JSON count as such where the schema does not want a text. */
function fromTags({ name: called, body }: Capture, tools: KnownTools): readonly RawCall[] | undefined {
  const args: [string, unknown][] = [];
  const opening = "<parameter=";
  for (let at = body.indexOf(opening); at >= 0;) {
    const keyEnd = body.indexOf(">", at);
    if (keyEnd < 0) return undefined;
    const next = body.indexOf(opening, keyEnd);
    const block = body.slice(keyEnd + 1, next < 0 ? undefined : next);
    const end = block.lastIndexOf("</parameter>");
    const value = trimNewline(end < 0 ? block : block.slice(0, end));
    const key = body.slice(at + opening.length, keyEnd).trim();
    args.push([key, tools.isText(called, key) ? value : toValue(value)]);
    at = next;
  }
  return [{ name: called, arguments: JSON.stringify(Object.fromEntries(args)) }];
}

/** `<arg_key>key</arg_key>` and `<arg_value>value</arg_value>` in turn; the first opening mark was taken already. */
function fromKeys({ name: called, body }: Capture, tools: KnownTools): readonly RawCall[] | undefined {
  const args: [string, unknown][] = [];
  for (const pair of body.split("<arg_key>")) {
    const keyEnd = pair.indexOf("</arg_key>");
    const open = pair.indexOf("<arg_value>", keyEnd);
    const close = pair.lastIndexOf("</arg_value>");
    if (keyEnd < 0 || open < 0 || close < open) return undefined;
    const key = pair.slice(0, keyEnd).trim();
    const value = pair.slice(open + "<arg_value>".length, close);
    args.push([key, tools.isText(called, key) ? value : toValue(value)]);
  }
  return [{ name: called, arguments: JSON.stringify(Object.fromEntries(args)) }];
}

function toValue(text: string): unknown {
  const value = parseExact(text);
  return value === undefined || typeof value === "string" ? text : value;
}

function trimNewline(text: string): string {
  const start = text.startsWith("\n") ? 1 : 0;
  const end = text.endsWith("\n") && text.length > start ? text.length - 1 : text.length;
  return text.slice(start, end);
}
