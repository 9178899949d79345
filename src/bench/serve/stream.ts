/** Streamed answers over HTTP, as hearth and llama-server send them. */
import { request as sendRequest, type IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { text as readText } from "node:stream/consumers";
import { toError } from "../../client/http.ts";
import { readSse } from "../../client/sse.ts";
import { HearthError } from "../../error.ts";

export interface Post {
  readonly url: string;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** What one message of a stream says. */
export interface Piece {
  readonly text: string;
  /** Tokens of the whole answer, once it has ended. */
  readonly allTokens?: number | undefined;
}

/**
 * Sends a request and calls `onToken` for each token of its answer, with its text. For tokens that have no text of their
 * own, such as the first part of a character, it is called when the answer ends. Throws what the server answered.
 */
export async function streamTokens(
  post: Post,
  read: (message: object) => Piece,
  onToken: (text: string) => void,
): Promise<void> {
  const response = await send(post);
  if (response.statusCode !== 200) throw refusal(await readText(response), response.statusCode ?? 0);
  const body = Readable.toWeb(response) as ReadableStream<Uint8Array>;
  let seen = 0;
  for await (const { data } of readSse(body)) {
    const message = parseMessage(data);
    if (!message) continue;
    const { text, allTokens = seen } = read(message);
    if (text !== "") {
      seen++;
      onToken(text);
    }
    for (; seen < allTokens; seen++) onToken("");
  }
}

/** Not `fetch`: that gives up where an answer begins only after five minutes, as it may in a long queue. */
async function send({ url, body, headers, signal }: Post): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    const options = {
      method: "POST",
      agent: false,
      headers: { "content-type": "application/json", ...headers },
      ...(signal && { signal }),
    };
    sendRequest(url, options, resolve).on("error", reject).end(JSON.stringify(body));
  });
}

function parseMessage(data: string): object | undefined {
  if (data === "[DONE]") return undefined;
  const message: unknown = JSON.parse(data);
  const error = toError(message);
  if (error) throw error;
  return typeof message === "object" && message !== null ? message : undefined;
}

function refusal(text: string, status: number): HearthError {
  try {
    const known = toError(JSON.parse(text), status);
    if (known) return known;
  } catch {
    // Not JSON: then its status has to say it.
  }
  return new HearthError("engine_failed", `The server answered ${status}.`, { hint: "" });
}
