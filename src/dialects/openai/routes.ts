/** OpenAI's API: which path does what. */
import { randomBytes } from "node:crypto";
import type { OverflowReceipt } from "../../spec/sampling.ts";
import type { Hearth } from "../../tasks/contract.ts";
import type { Dialect, Reply, Route, RouteRequest } from "../route.ts";
import { collectAnswers } from "../shared/collect.ts";
import { mapEvents } from "../shared/frames.ts";
import { receiptHeaders } from "../shared/receipt.ts";
import type { Started } from "../shared/start.ts";
import { startEvents } from "../shared/start.ts";
import { audioRoutes } from "./audio.ts";
import { callerOf } from "./caller.ts";
import { errorBody, errorFrame } from "./error.ts";
import { startAll } from "./merge.ts";
import { toModelBody } from "./models.ts";
import { toChatRequest, toCompleteRequests, toEchoLogprobs, toPriority } from "./request.ts";
import type { ResponseHead } from "./response.ts";
import { toChatResponse, toCompletionResponse } from "./response.ts";
import type { GenerationBody } from "./schema.ts";
import { parseChatBody, parseCompletionBody } from "./schema.ts";
import { keepFirstToolCall } from "./single.ts";
import { taskRoutes } from "./tasks.ts";
import { createChatStream, createCompletionStream } from "./stream.ts";
import { parseEmbeddings, parseRerank, toEmbeddingsResponse, toRerankResponse } from "./vectors.ts";

async function chat(request: RouteRequest, hearth: Hearth): Promise<Reply> {
  const body = parseChatBody(request.body);
  const accepted = await startEvents(hearth.chat(toChatRequest(body, request)));
  const { start } = accepted;
  const events = body.parallel_tool_calls === false ? keepFirstToolCall(accepted.events) : accepted.events;
  const options = optionsOf("chatcmpl", { body, request, started: accepted });
  if (body.stream === true) {
    const stream = createChatStream(options);
    return { kind: "sse", frames: mapEvents(events, stream, stream.begin()), headers: receiptHeaders(start.receipt) };
  }
  const answers = await collectAnswers(events);
  return { kind: "json", body: toChatResponse(answers, options), headers: receiptHeaders(start.receipt) };
}

async function complete(request: RouteRequest, hearth: Hearth): Promise<Reply> {
  const body = parseCompletionBody(request.body);
  const requests = toCompleteRequests(body, request);
  const runs = requests.map((each) => (signal: AbortSignal) => hearth.complete({ ...each, signal }));
  const started = await startAll(runs, { n: body.n ?? 1, signal: request.signal });
  const options = { ...optionsOf("cmpl", { body, request, started }), echoLogprobs: toEchoLogprobs(body) };
  if (body.stream === true) {
    const frames = mapEvents(started.events, createCompletionStream(options));
    return { kind: "sse", frames, headers: receiptHeaders(started.start.receipt) };
  }
  const receipts: OverflowReceipt[] = started.start.receipt ? [started.start.receipt] : [];
  const answers = await collectAnswers(started.events, (start) => start.receipt && receipts.push(start.receipt));
  const receipt = sumReceipts(receipts);
  return {
    kind: "json",
    body: toCompletionResponse(answers, { ...options, receipt }),
    headers: receiptHeaders(receipt),
  };
}

async function embeddings(request: RouteRequest, hearth: Hearth): Promise<Reply> {
  const call = parseEmbeddings(request.body, callerOf(request));
  return { kind: "json", body: toEmbeddingsResponse(await hearth.embed(call.request), call.base64) };
}

async function rerank(request: RouteRequest, hearth: Hearth): Promise<Reply> {
  const call = parseRerank(request.body, callerOf(request));
  return { kind: "json", body: toRerankResponse(await hearth.rerank(call.request), call, createId("rerank")) };
}

async function listModels(_request: RouteRequest, hearth: Hearth): Promise<Reply> {
  const models = await hearth.library.list();
  return { kind: "json", body: { object: "list", data: models.map(toModelBody) } };
}

async function retrieveModel({ params }: RouteRequest, hearth: Hearth): Promise<Reply> {
  return { kind: "json", body: toModelBody(await hearth.library.resolve(params["model"] ?? "")) };
}

interface Answered {
  readonly body: GenerationBody & { readonly logprobs?: unknown };
  readonly request: RouteRequest;
  readonly started: Started;
}

function optionsOf(prefix: string, { body, request, started: { start } }: Answered) {
  const head: ResponseHead = {
    id: createId(prefix),
    created: Math.floor(Date.now() / 1000),
    model: start.model,
    ...(body.service_tier && { service_tier: toPriority(body, request.priority) === "batch" ? "flex" : "default" }),
  };
  return {
    head,
    n: body.n ?? 1,
    logprobs: body.logprobs !== undefined && body.logprobs !== false,
    promptLogprobs: body.prompt_logprobs,
    includeUsage: body.stream_options?.include_usage === true,
    receipt: start.receipt,
  };
}

function createId(prefix: string): string {
  return `${prefix}-${randomBytes(18).toString("base64url")}`;
}

/** One receipt for several prompts. */
function sumReceipts(receipts: readonly OverflowReceipt[]): OverflowReceipt | undefined {
  return receipts.reduce<OverflowReceipt | undefined>(
    (total, next) =>
      total
        ? {
            policy: next.policy,
            droppedTokens: total.droppedTokens + next.droppedTokens,
            droppedMessages: total.droppedMessages + next.droppedMessages,
            promptTokensBefore: total.promptTokensBefore + next.promptTokensBefore,
            promptTokensAfter: total.promptTokensAfter + next.promptTokensAfter,
          }
        : next,
    undefined,
  );
}

const routes: readonly Route[] = [
  { method: "GET", path: "/v1/models", access: "models:read", handle: listModels },
  { method: "GET", path: "/v1/models/:model{.+}", access: "models:read", handle: retrieveModel },
  { method: "POST", path: "/v1/chat/completions", access: "infer", handle: chat },
  { method: "POST", path: "/v1/completions", access: "infer", handle: complete },
  { method: "POST", path: "/v1/embeddings", access: "infer", handle: embeddings },
  { method: "POST", path: "/v1/rerank", access: "infer", handle: rerank },
  { method: "POST", path: "/rerank", access: "infer", handle: rerank },
  ...audioRoutes,
  ...taskRoutes,
];

export const openai: Dialect = { name: "openai", routes, errorBody, errorFrame };
