/** A client of hearth's own server, for other programs, browsers and the commands that talk to a running server. */
import { readChat } from "./chat.ts";
import type { CallOptions, ClientOptions, Send } from "./http.ts";
import { bodyOf, createSend, readJson, toError } from "./http.ts";
import { readNdjson } from "./ndjson.ts";
import type { Client, ClientChatEvent, ClientChatRequest, Health, PullProgress, ServerStats } from "./types.ts";
import type { LoadedBody, PullBody, StopBody, TagBody } from "./wire.ts";
import { toLoaded, toModel, toProgress } from "./wire.ts";

export type { CallOptions, ClientOptions } from "./http.ts";
export type {
  Client,
  ClientChatEvent,
  ClientChatRequest,
  Health,
  LoadedSummary,
  ModelStats,
  ModelSummary,
  PullProgress,
  ServerStats,
} from "./types.ts";

export function createClient(options: ClientOptions): Client {
  const send = createSend(options);
  const get = async (path: string, call?: CallOptions): Promise<unknown> =>
    await readJson(await send(path, undefined, call));
  return {
    health: async (call) => (await get("/health", call)) as Health,
    models: async (call) => ((await get("/api/tags", call)) as { models: TagBody[] }).models.map(toModel),
    loaded: async (call) => ((await get("/api/ps", call)) as { models: LoadedBody[] }).models.map(toLoaded),
    stats: async (call) => (await get("/stats", call)) as ServerStats,
    async stop(model, call) {
      const body = (await readJson(await send("/api/generate", { model, keep_alive: 0 }, call))) as StopBody;
      return body.hearth?.unloaded ?? false;
    },
    async sleep(model, call) {
      await readJson(await send("/sleep", { model }, call));
    },
    chat: (request, call) => chat(send, request, call),
    pull: (model, call) => pull(send, model, call),
  };
}

async function* chat(
  send: Send,
  request: ClientChatRequest,
  call?: CallOptions,
): AsyncGenerator<ClientChatEvent, void, undefined> {
  const body = { ...request, stream: true, stream_options: { include_usage: true } };
  yield* readChat(bodyOf(await send("/v1/chat/completions", body, call)));
}

async function* pull(send: Send, model: string, call?: CallOptions): AsyncGenerator<PullProgress, void, undefined> {
  for await (const frame of readNdjson(bodyOf(await send("/api/pull", { model }, call)))) {
    const error = toError(frame);
    if (error) throw error;
    yield toProgress(frame as PullBody);
  }
}
