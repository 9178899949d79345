/** One way out for every download: redirects by hand, so that a key never follows one to another host. */
import { HearthError, isAbort } from "../../error.ts";
import { formatDuration } from "../../util/format.ts";
import type { LibraryContext } from "../context.ts";

export interface RequestOptions {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent to the origin of `url` only. */
  readonly authorization?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Until the headers are here. */
  readonly timeoutMs: number;
}

export interface Answer {
  readonly response: Response;
  /** Where the redirects led. */
  readonly url: string;
  /** Ends the body. */
  readonly abort: (reason: Error) => void;
}

/** Asks, following at most five redirects. Throws `offline` when nobody answers in time; any status is an answer. */
export async function request({ fetch }: Pick<LibraryContext, "fetch">, options: RequestOptions): Promise<Answer> {
  const controller = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, controller.signal]) : controller.signal;
  const timer = setTimeout(() => {
    controller.abort(silent(options));
  }, options.timeoutMs);
  try {
    const { response, url } = await follow(fetch, options, signal);
    return {
      response,
      url,
      abort: (reason) => {
        controller.abort(reason);
      },
    };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof HearthError) throw error;
    if (controller.signal.reason instanceof HearthError) throw controller.signal.reason;
    throw unreachable(options.url, error);
  } finally {
    clearTimeout(timer);
  }
}

async function follow(
  fetch: typeof globalThis.fetch,
  { url: first, headers = {}, authorization }: RequestOptions,
  signal: AbortSignal,
): Promise<{ response: Response; url: string }> {
  let url = first;
  for (let hops = 0; hops <= 5; hops++) {
    const own = new URL(url).origin === new URL(first).origin;
    const response = await fetch(url, {
      // Bytes are counted and hashed as the server keeps them.
      headers: {
        // A request for a range says so by itself.
        ...(headers["range"] === undefined && { "accept-encoding": "identity" }),
        ...headers,
        ...(own && authorization !== undefined && { authorization }),
      },
      redirect: "manual",
      signal,
    });
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return { response, url };
    await response.body?.cancel();
    url = checkRedirect(location, { from: url, first });
  }
  throw new HearthError("pull_failed", `${new URL(first).host} redirects more than five times.`);
}

/** A public server must not lead us to http, to this machine or into its network. */
function checkRedirect(location: string, { from, first }: { from: string; first: string }): string {
  const target = URL.canParse(location, from) ? new URL(location, from) : undefined;
  const downgrade = new URL(from).protocol === "https:" && target?.protocol !== "https:";
  if (!target || !/^https?:$/.test(target.protocol) || downgrade || (isInner(target) && !isInner(new URL(first)))) {
    throw new HearthError("pull_failed", `${new URL(first).host} redirects to a place that is not allowed.`);
  }
  return target.href;
}

function isInner({ hostname }: URL): boolean {
  // URL has already brought decimal, octal and short forms of IPv4 addresses to the dotted one.
  return (
    /^(localhost|.*\.localhost|0\.|127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(hostname) ||
    /^\[(::1?\]|::ffff:|f[cd]|fe[89ab])/.test(hostname)
  );
}

/** Reads a JSON answer of at most `limit` bytes. */
export async function readJson(answer: Answer, limit: number = 16 * 1024 ** 2): Promise<unknown> {
  const text = await readText(answer, limit);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HearthError("pull_failed", `${hostOf(answer.url)} did not answer with JSON.`, { cause: error });
  }
}

export async function readText({ response, url, abort }: Answer, limit: number): Promise<string> {
  const stop = setTimeout(() => {
    abort(new HearthError("offline", `${hostOf(url)} stopped in the middle of its answer.`));
  }, 30_000);
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  try {
    for await (const bytes of response.body ?? []) {
      size += bytes.length;
      if (size > limit) throw new HearthError("pull_failed", `${hostOf(url)} answers with more than ${limit} bytes.`);
      text += decoder.decode(bytes, { stream: true });
    }
  } catch (error) {
    if (error instanceof HearthError || isAbort(error)) throw error;
    throw unreachable(url, error);
  } finally {
    clearTimeout(stop);
  }
  return text + decoder.decode();
}

/** What a status that is no success means for a model. */
export function refusal(status: number, what: string, url: string): HearthError {
  const host = hostOf(url);
  if (status === 401 || status === 403) {
    return new HearthError(
      "pull_failed",
      `${host} refuses ${what} (${status}): it is private, gated, or does not exist.`,
      {
        hint: "Accept its terms on the hub and set HF_TOKEN, or choose another source.",
        details: { status },
      },
    );
  }
  if (status === 404 || status === 410) {
    return new HearthError("model_not_found", `${host} has no ${what}.`, {
      hint: "Check the spelling.",
      details: { status },
    });
  }
  return new HearthError("pull_failed", `${host} answered ${status} for ${what}.`, { details: { status } });
}

export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

function silent({ url, timeoutMs }: RequestOptions): HearthError {
  return new HearthError("offline", `${hostOf(url)} did not answer within ${formatDuration(timeoutMs)}.`);
}

/** undici hides the reason in `cause`. */
function unreachable(url: string, error: unknown): HearthError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const reason = code || (cause instanceof Error ? cause.message : String(cause));
  return new HearthError("offline", `${hostOf(url)} could not be reached: ${reason}.`, { cause: error });
}
