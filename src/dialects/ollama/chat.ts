import { HearthError } from "../../error.ts";
import type { ChatRequest } from "../../spec/task.ts";
import type { Hearth } from "../../tasks/contract.ts";
import type { Reply, RouteRequest } from "../route.ts";
import { defined } from "../shared/defined.ts";
import type { Piece } from "./answer.ts";
import { answer, emptyPiece } from "./answer.ts";
import { loadOrUnload } from "./idle.ts";
import { toMessages, toToolChoice, toTools } from "./messages.ts";
import { resolveModel, withModel } from "./names.ts";
import { toGenerationOptions, toThink } from "./request.ts";
import type { ChatBody } from "./schema.ts";
import { parseChatBody } from "./schema.ts";

/** POST /api/chat */
export async function handleChat(request: RouteRequest, hearth: Hearth): Promise<Reply> {
  const body = parseChatBody(request.body);
  const task = toChatRequest(body, request);
  if (task.messages.length === 0) return await loadOrUnload(hearth, task, chatFields(emptyPiece));
  await checkThinking(hearth, task);
  return await withModel(task.model, async () =>
    answer(hearth.chat(task), {
      model: task.model,
      stream: body.stream !== false,
      topLogprobs: task.topLogprobs,
      fields: chatFields,
    }),
  );
}

/** The body of /api/chat as a request of the typed library. */
export function toChatRequest(body: ChatBody, request: RouteRequest): ChatRequest {
  const tools = toTools(body.tools ?? []);
  return {
    ...toGenerationOptions(body, request),
    messages: toMessages(body.messages ?? []),
    ...(tools.length > 0 ? { tools } : {}),
    ...defined({ toolChoice: toToolChoice(body.tool_choice), think: toThink(body.think) }),
  };
}

/** Refuses `think` before a model is loaded that cannot; a template of the caller's own may know how. */
export async function checkThinking(hearth: Hearth, { model, think, template }: ChatRequest): Promise<void> {
  if (think === undefined || think === false || template !== undefined) return;
  const info = await hearth.library.inspect(await resolveModel(hearth.library, model));
  if (info.capabilities.includes("thinking")) return;
  throw new HearthError("unsupported_capability", `"${model}" does not support thinking.`, {
    hint: "Leave think out, or choose a model whose capabilities include thinking.",
    details: { field: "think" },
  });
}

function chatFields({ content, thinking, toolCalls }: Piece): object {
  return {
    message: {
      role: "assistant",
      content,
      ...(thinking === "" ? {} : { thinking }),
      ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
    },
  };
}
