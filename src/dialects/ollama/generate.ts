import type { Message } from "../../spec/message.ts";
import type { ChatRequest, CompleteRequest } from "../../spec/task.ts";
import type { Hearth } from "../../tasks/contract.ts";
import type { Reply, RouteRequest } from "../route.ts";
import { badField } from "../shared/body.ts";
import { defined } from "../shared/defined.ts";
import type { AnswerOptions, Piece } from "./answer.ts";
import { answer, emptyPiece } from "./answer.ts";
import { checkThinking } from "./chat.ts";
import { decodeContext, encodeContext } from "./context.ts";
import { loadOrUnload } from "./idle.ts";
import { toContent } from "./messages.ts";
import { withModel } from "./names.ts";
import { toGenerationOptions, toThink } from "./request.ts";
import type { GenerateBody } from "./schema.ts";
import { parseGenerateBody } from "./schema.ts";

/** POST /api/generate */
export async function handleGenerate(request: RouteRequest, hearth: Hearth): Promise<Reply> {
  const body = parseGenerateBody(request.body);
  if (!body.prompt && !body.suffix && !body.images?.length)
    return await loadOrUnload(hearth, toGenerationOptions(body, request), generateFields(emptyPiece));
  return body.raw || body.suffix ? await complete(body, request, hearth) : await respond(body, request, hearth);
}

/** `raw` and `suffix`: the prompt goes to the model without a chat template. */
async function complete(body: GenerateBody, request: RouteRequest, hearth: Hearth): Promise<Reply> {
  const task = toCompleteRequest(body, request);
  return await withModel(task.model, async () => answer(hearth.complete(task), answerOptions(body, task)));
}

/** The prompt is one turn of a chat. */
async function respond(body: GenerateBody, request: RouteRequest, hearth: Hearth): Promise<Reply> {
  const task = toPromptRequest(body, request);
  await checkThinking(hearth, task);
  const options = answerOptions(body, task);
  // Images do not fit into a context, and one that forgot them would answer differently.
  const last = (text: string): object => ({
    context: encodeContext([...task.messages, { role: "assistant", content: text }]),
  });
  return await withModel(task.model, async () =>
    answer(hearth.chat(task), body.images?.length ? options : { ...options, last }),
  );
}

/** A `raw` or `suffix` body as a request of the typed library. */
export function toCompleteRequest(body: GenerateBody, request: RouteRequest): CompleteRequest {
  const { raw, suffix, system, template, context, images } = body;
  const mode = raw ? "raw" : "suffix";
  for (const [name, value] of Object.entries({ system, template, context, images }))
    if (value && value.length > 0) throw badField(name, `cannot be combined with ${mode}`);
  if (body.think) throw badField("think", `cannot be combined with ${mode}`);
  if (raw && suffix) throw badField("suffix", "cannot be combined with raw");
  return {
    ...toGenerationOptions(body, request),
    prompt: body.prompt ?? "",
    ...(raw ? { special: true } : {}),
    ...(suffix ? { suffix } : {}),
  };
}

/** A plain body as a chat with one new message. */
export function toPromptRequest(body: GenerateBody, request: RouteRequest): ChatRequest {
  const earlier = body.context?.length ? decodeContext(body.context) : [];
  const content = toContent(body.prompt ?? "", body.images ?? [], "images");
  return {
    ...toGenerationOptions(body, request),
    messages: [...withSystem(earlier, body.system ?? ""), { role: "user", content }],
    ...(body.template ? { template: checkTemplate(body.template) } : {}),
    ...defined({ think: toThink(body.think) }),
  };
}

function withSystem(messages: readonly Message[], system: string): readonly Message[] {
  if (system === "") return messages;
  return [{ role: "system", content: system }, ...messages.filter(({ role }) => role !== "system")];
}

/** Ollama's templates are Go's; ours are Jinja. What is plainly Go is refused with the reason. */
function checkTemplate(template: string): string {
  if (/\{\{-?\s*(\.|\$|(if|range|end|else|template|define|block|with)\b)/.test(template))
    throw badField("template", "is a Go template; send a Jinja chat template, as model repositories carry it");
  return template;
}

function answerOptions(body: GenerateBody, task: ChatRequest | CompleteRequest): AnswerOptions {
  const { model, topLogprobs } = task;
  return { model, stream: body.stream !== false, topLogprobs, fields: generateFields };
}

function generateFields({ content, thinking, toolCalls }: Piece): object {
  return {
    response: content,
    ...(thinking === "" ? {} : { thinking }),
    ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
  };
}
