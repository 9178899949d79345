/** From messages to the prompt: template, variables, control tokens, tools, thinking. */
import { HearthError } from "../error.ts";
import type { PromptPart } from "../spec/engine.ts";
import type { Message, Tool } from "../spec/message.ts";
import { messageText } from "../spec/message.ts";
import type { ModelInfo, ModelOverrides } from "../spec/model.ts";
import { toolInstruction } from "./choice.ts";
import { chooseTemplate, plainStops } from "./fallback.ts";
import { TemplateRaised } from "./globals.ts";
import {
  hasPicture,
  joinContents,
  mergeNeighbours,
  mergeSystem,
  toTemplateMessages,
  toTemplateTools,
} from "./messages.ts";
import { callOpeners, detectToolFormat } from "./output/formats.ts";
import type { ToolFormat } from "./output/formats.ts";
import { openReasoning } from "./output/reasoning.ts";
import type { ReasoningTags } from "./output/reasoning.ts";
import { probeTemplate } from "./probe.ts";
import type { TemplateTraits } from "./probe.ts";
import { createShield } from "./shield.ts";
import type { Shield } from "./shield.ts";
import { compileTemplate, renderTemplate } from "./template.ts";
import type { CompiledTemplate } from "./template.ts";

export interface ChatPrompt {
  readonly info: ModelInfo;
  readonly overrides?: ModelOverrides | undefined;
  readonly messages: readonly Message[];
  readonly tools?: readonly Tool[] | undefined;
  /** The answer is prefilled with the beginning of a call. */
  readonly forceCall?: boolean;
  /** A grammar rules the answer: it must not begin inside the thoughts. */
  readonly answerNow?: boolean;
  readonly think?: boolean | "low" | "medium" | "high" | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  /** Template of the request. */
  readonly template?: string | undefined;
  readonly now?: Date | undefined;
}

export interface RenderedPrompt {
  readonly parts: readonly PromptPart[];
  /** Source of the template that was used. */
  readonly template: string;
  readonly format: ToolFormat;
  /** The prompt ends inside the thoughts of the model. */
  readonly inside: ReasoningTags | undefined;
  /** Further stop strings that the template needs. */
  readonly stops: readonly string[];
}

/**
 * Renders a chat. A last message of the assistant is continued, not answered. Throws `template_failed` when the template
 * rejects the messages in every form that is tried.
 */
export function renderChat(prompt: ChatPrompt): RenderedPrompt {
  const { info, overrides, tools = [] } = prompt;
  const choice = chooseTemplate(info, overrides, prompt.template);
  const template = compileTemplate(choice.source);
  const traits = probeTemplate(template);
  const format = traits.tools ? detectToolFormat(choice.source) : "json";
  const { messages, prefill } = takePrefill(withTools(prompt.messages, tools, traits));
  const { rendered, shield } = renderPictures({ prompt, template, traits, messages });
  const thinking = openReasoning(rendered);
  // A call that is forced cannot begin inside the thoughts; neither can an answer that is ruled or given already.
  const closed = thinking && (prompt.forceCall || prompt.answerNow || prefill !== "") ? `${thinking.close}\n\n` : "";
  const opener = openerOf(prompt, format);
  const parts = shield.split(rendered + closed + shield.hide(prefill) + opener);
  return {
    parts,
    template: choice.source,
    format,
    inside: closed === "" ? thinking : undefined,
    stops: choice.from === "plain" ? plainStops : [],
  };
}

/** What stands before a forced call or, in harmony, before an answer that may not begin with its header. */
function openerOf({ forceCall, answerNow }: ChatPrompt, format: ToolFormat): string {
  return forceCall || (answerNow && format === "harmony") ? callOpeners[format].opener : "";
}

function takePrefill(messages: readonly Message[]): { messages: readonly Message[]; prefill: string } {
  const last = messages.at(-1);
  if (messages.length < 2 || last?.role !== "assistant" || (last.toolCalls?.length ?? 0) > 0) {
    return { messages, prefill: "" };
  }
  return { messages: messages.slice(0, -1), prefill: messageText(last.content) };
}

function withTools(messages: readonly Message[], tools: readonly Tool[], traits: TemplateTraits): readonly Message[] {
  if (tools.length === 0 || traits.tools) return messages;
  const instruction = toolInstruction(tools);
  const [first, ...rest] = messages;
  if (first?.role !== "system") return [{ role: "system", content: instruction }, ...messages];
  return [{ role: "system", content: `${messageText(first.content)}\n\n${instruction}` }, ...rest];
}

interface Drawing {
  readonly prompt: ChatPrompt;
  readonly template: CompiledTemplate;
  readonly traits: TemplateTraits;
  readonly messages: readonly Message[];
}

interface Attempt extends Drawing {
  readonly shield: Shield;
}

interface Rendered {
  readonly rendered: string;
  readonly shield: Shield;
}

/**
 * Renders, and puts what `shield` splits at in the places of the pictures: where the template wrote its mark, if it did so
 * once for each of them, else in the text.
 */
function renderPictures(drawing: Drawing): Rendered {
  const { specialTokens } = drawing.prompt.info;
  const { pictureMark: mark } = drawing.traits;
  const pictures = drawing.messages.flatMap(({ content }) =>
    hasPicture(content) ? content.flatMap((part) => (part.type === "image" ? [part.data] : [])) : [],
  );
  if (pictures.length > 0 && mark !== undefined) {
    // The mark is a control token here, whatever the vocabulary says: text of users does not spell it.
    const shield = createShield([...specialTokens, mark]);
    const pieces = renderAny({ ...drawing, shield }).split(mark);
    if (pieces.length === pictures.length + 1) {
      const marks = pictures.map((bytes) => shield.picture({ bytes }));
      return { rendered: pieces.map((piece, index) => piece + (marks[index] ?? "")).join(""), shield };
    }
  }
  const shield = createShield(specialTokens);
  return { rendered: renderAny({ ...drawing, shield, traits: { ...drawing.traits, pictureMark: undefined } }), shield };
}

/** Renders the messages as they are, or in a form that more templates accept. */
function renderAny(attempt: Attempt): string {
  const { traits, shield } = attempt;
  const own = traits.system ? attempt.messages : mergeSystem(attempt.messages);
  const forms = [
    (): readonly Message[] => own,
    (): readonly Message[] => mergeSystem(own),
    (): readonly Message[] => mergeNeighbours(mergeSystem(plainTools(own))),
  ];
  let rejected: TemplateRaised | undefined;
  for (const form of forms) {
    try {
      return renderOnce(attempt, form());
    } catch (error) {
      if (!(error instanceof TemplateRaised)) throw error;
      rejected ??= error;
    }
  }
  const reason = shield.reveal(rejected?.message ?? "").slice(0, 300);
  throw new HearthError("template_failed", `The chat template rejected the messages: ${reason}`, { cause: rejected });
}

function renderOnce({ prompt, template, traits, shield }: Attempt, messages: readonly Message[]): string {
  const { info, tools = [], think } = prompt;
  return renderTemplate(
    template,
    {
      ...thinkVariables(think),
      documents: null,
      ...variablesOf(prompt.variables, shield),
      messages: toTemplateMessages(messages, { shape: traits, shield }),
      tools: tools.length > 0 && traits.tools ? toTemplateTools(tools, shield) : traits.emptyTools,
      bos_token: info.bosToken ?? "",
      eos_token: info.eosToken ?? "",
      add_generation_prompt: true,
    },
    prompt.now ? { now: prompt.now } : {},
  );
}

/** Templates know different names for the same switch; an unknown variable changes nothing. */
function thinkVariables(think: ChatPrompt["think"]): Record<string, unknown> {
  if (think === undefined) return {};
  const on = think !== false;
  return {
    enable_thinking: on,
    thinking: on,
    ...(typeof think === "string" && { reasoning_effort: think }),
  };
}

/** Variables of the caller: data only, and no control tokens. */
function variablesOf(variables: ChatPrompt["variables"], shield: Shield): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(variables ?? {})) {
    if (typeof value !== "function") safe[name] = shield.hideAll(value);
  }
  return safe;
}

/** Results of tools as messages of the user, for templates that reject the role. */
function plainTools(messages: readonly Message[]): Message[] {
  return messages.map((message) =>
    message.role === "tool"
      ? { role: "user", content: joinContents("Result of the tool call:", message.content, "\n") }
      : message,
  );
}
