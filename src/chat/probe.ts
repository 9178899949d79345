/** Finds out what a template can do by rendering a few small conversations with it, once for each template. */
import { TemplateStopped } from "./limits.ts";
import type { MessageShape, TemplateMessage } from "./messages.ts";
import { renderTemplate } from "./template.ts";
import type { CompiledTemplate } from "./template.ts";

export interface TemplateTraits extends MessageShape {
  readonly system: boolean;
  readonly tools: boolean;
  /** Without tools, `tools` is None, as Transformers has it; some templates want it undefined instead. */
  readonly emptyTools: null | undefined;
}

const known = new WeakMap<CompiledTemplate, TemplateTraits>();

export function probeTemplate(template: CompiledTemplate): TemplateTraits {
  let traits = known.get(template);
  if (!traits) known.set(template, (traits = probe(template)));
  return traits;
}

const word = "needle";
/** A hostile template must not get the full time for each of the probes. */
const probeLimits = { timeoutMs: 500, steps: 100_000 };

function probe(template: CompiledTemplate): TemplateTraits {
  const plain = [{ role: "user", content: word }];
  const emptyTools = rendered(template, plain, null) === "" ? undefined : null;
  const has = (
    wanted: string,
    messages: readonly TemplateMessage[],
    tools: readonly unknown[] | null | undefined = emptyTools,
  ): boolean => rendered(template, messages, tools).includes(wanted);
  const contentParts = !has(word, plain) && has(word, [{ role: "user", content: [{ type: "text", text: word }] }]);
  const text = (value: string): unknown => (contentParts ? [{ type: "text", text: value }] : value);
  const user = { role: "user", content: text("question") };
  const calling = (args: unknown): TemplateMessage[] => [
    user,
    {
      role: "assistant",
      content: text(""),
      tool_calls: [{ id: "needle001", type: "function", function: { name: "needle_call", arguments: args } }],
    },
    { role: "tool", content: text("needle_result"), name: "needle_call", tool_call_id: "needle001" },
  ];
  const asObject = calling({ needle_key: 1 });
  const asText = calling('{"needle_key": 1}');
  const callArguments = has("needle_key", asObject) ? "object" : has("needle_key", asText) ? "text" : "none";
  return {
    contentParts,
    emptyTools,
    callArguments,
    system: has(word, [{ role: "system", content: text(word) }, user]),
    pictureMark: pictureMark((content) => rendered(template, [{ role: "user", content }], emptyTools)),
    tools: has("needle_tool", [user], [probeTool]),
    toolResults: callArguments !== "none" && has("needle_result", callArguments === "object" ? asObject : asText),
    shortIds: ["length 9", "length != 9", "length < 9"].some((text) => template.source.includes(text)),
  };
}

/**
 * What a template writes for a picture: what appears when a message has one, without the white space around it. A template
 * that writes what says of a text where it is, e.g. `Picture 1: `, has no such mark.
 */
function pictureMark(render: (content: readonly unknown[]) => string): string | undefined {
  const text = { type: "text", text: word };
  const [plain, one, two] = [0, 1, 2].map((count) =>
    render([...Array.from({ length: count }, () => ({ type: "image" })), text]),
  );
  if (!plain?.includes(word) || !one?.includes(word) || !two) return undefined;
  let start = 0;
  while (start < plain.length && plain[start] === one[start]) start++;
  let end = one.length;
  while (end - start > one.length - plain.length && plain.at(end - one.length - 1) === one[end - 1]) end--;
  // What comes behind it may begin as it does.
  while (start > 0 && !/[<[]/.test(one[start] ?? "") && one[start - 1] === one[end - 1])
    [start, end] = [start - 1, end - 1];
  const mark = one.slice(start, end).trim();
  return mark !== "" && one.split(mark).length === 2 && two.split(mark).length === 3 ? mark : undefined;
}

const probeTool = {
  type: "function",
  function: {
    name: "needle_tool",
    description: "",
    parameters: { type: "object", properties: { a: { type: "string", description: "" } }, required: ["a"] },
  },
};

/** The rendered text, or nothing when the template rejects the messages. Throws for one that goes beyond its limits. */
function rendered(
  template: CompiledTemplate,
  messages: readonly TemplateMessage[],
  tools: readonly unknown[] | null | undefined,
): string {
  try {
    const variables = { messages, tools, documents: null, bos_token: "", eos_token: "", add_generation_prompt: true };
    return renderTemplate(template, variables, { limits: probeLimits });
  } catch (error) {
    if (error instanceof TemplateStopped) throw error;
    // That the template rejects them is the answer that the probe was made for.
    return "";
  }
}
