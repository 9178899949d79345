// A local server that speaks the protocol of the Hugging Face hub, and serves plain files beside it: what a pull
// needs of the outside world, with every way to misbehave, and with an account of requests and bytes.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

export interface HubBehaviour {
  /** Key that the API and `/resolve/` ask for. */
  token?: string;
  license?: string;
  /** Give SHA-256 of files. Default true. */
  lfs?: boolean;
  /** Announce a SHA-256 that the bytes do not have. */
  wrongHash?: boolean;
  /** Accept connections and never answer. */
  silent?: boolean;
  /** Answer 200 with the whole file, whatever range was asked for. */
  noRanges?: boolean;
  /** Another ETag with each answer. */
  changingEtag?: boolean;
  /** Send no ETag at all. */
  noEtag?: boolean;
  /** Cut the connection after so many bytes of a body, `failTimes` times (default for ever). */
  failAfterBytes?: number | undefined;
  failTimes?: number;
  /** Statuses for the next requests of files, before they are served. */
  statuses?: number[];
  /** Send pieces of `bytes` with a pause of `ms` between them. */
  slow?: { bytes: number; ms: number } | undefined;
  /** Stop in the middle of a body after so many bytes and keep the connection open. */
  stallAfterBytes?: number | undefined;
  /** Redirect files to a second origin, as the hub does. Default true. */
  cdn?: boolean;
}

export interface HubOptions extends HubBehaviour {
  /** `owner/repo` → file → bytes. */
  files?: Record<string, Record<string, Uint8Array>>;
  /** Path → bytes, served as they are: npm tarballs, registry blobs, plain downloads. */
  raw?: Record<string, Uint8Array | string>;
}

export interface HubRequest {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  readonly encoding: string | undefined;
}

export interface Hub {
  readonly url: string;
  /** Where files are redirected to. */
  readonly cdnUrl: string;
  readonly requests: HubRequest[];
  /** May be changed while the server runs. */
  readonly behaviour: HubOptions;
  /** Bytes of bodies sent for a file so far, whole or in part. */
  bytesSent(file: string): number;
  /** Resolves when so many bytes of a file were sent. */
  whenSent(file: string, bytes: number): Promise<void>;
  close(): Promise<void>;
}

export async function startHub(options: HubOptions): Promise<Hub> {
  const hub = createHub({ ...options });
  const servers = [createServer(hub.handle), createServer(hub.handle)] as const;
  await Promise.all(servers.map(listen));
  const [url, cdnUrl] = [urlOf(servers[0]), urlOf(servers[1])];
  hub.place.cdn = cdnUrl;
  return {
    url,
    cdnUrl,
    requests: hub.requests,
    behaviour: hub.behaviour,
    bytesSent: (file) => hub.sent.get(file) ?? 0,
    whenSent: async (file, bytes) => {
      while ((hub.sent.get(file) ?? 0) < bytes) await pause(2);
    },
    close: async () => {
      await Promise.all(servers.map(close));
    },
  };
}

/** What commit a repository is at: it changes with its bytes. */
export function commitOf(files: Readonly<Record<string, Uint8Array>>): string {
  const hash = createHash("sha1");
  for (const [name, bytes] of Object.entries(files)) hash.update(name).update(bytes);
  return hash.digest("hex");
}

interface Parts {
  readonly behaviour: HubOptions;
  readonly requests: HubRequest[];
  readonly sent: Map<string, number>;
  readonly place: { cdn: string };
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
}

function createHub(behaviour: HubOptions): Parts {
  const parts: Parts = {
    behaviour,
    requests: [],
    sent: new Map(),
    place: { cdn: "" },
    handle(request, response) {
      const { range, authorization, host = "" } = request.headers;
      const path = decodeURIComponent((request.url ?? "/").split("?")[0] ?? "");
      const encoding = request.headers["accept-encoding"]?.toString();
      parts.requests.push({ method: request.method ?? "", path, host, range, authorization, encoding });
      if (behaviour.silent === true) return;
      answer(parts, { path, request, response }).catch(() => response.destroy());
    },
  };
  return parts;
}

interface Exchange {
  readonly path: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

async function answer(parts: Parts, { path, request, response }: Exchange): Promise<void> {
  const { behaviour } = parts;
  const raw = behaviour.raw?.[path];
  if (raw !== undefined) {
    await sendFile(parts, { request, response, name: path, bytes: typeof raw === "string" ? Buffer.from(raw) : raw });
    return;
  }
  const cdn = /^\/cdn\/([^/]+\/[^/]+)\/(.+)$/.exec(path);
  if (!cdn && behaviour.token !== undefined && request.headers.authorization !== `Bearer ${behaviour.token}`) {
    send(response, 401, { error: "Invalid username or password." });
    return;
  }
  const api = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/(.+)$/.exec(path);
  const resolve = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
  const [, repo = "", revision = "", name = ""] = api ?? resolve ?? [cdn?.[0], cdn?.[1], "main", cdn?.[2]];
  const files = behaviour.files?.[repo];
  if (!files || !["main", commitOf(files)].includes(revision)) {
    send(response, 404, { error: "Repository not found" });
    return;
  }
  if (api) {
    send(response, 200, describe(behaviour, { repo, files }));
    return;
  }
  const bytes = files[name];
  if (!bytes) send(response, 404, { error: "Entry not found" });
  else if (resolve && behaviour.cdn !== false) {
    response.writeHead(302, {
      location: `${parts.place.cdn}/cdn/${repo}/${name.split("/").map(encodeURIComponent).join("/")}`,
    });
    response.end();
  } else await sendFile(parts, { request, response, name, bytes });
}

function describe(
  behaviour: HubOptions,
  { repo, files }: { repo: string; files: Record<string, Uint8Array> },
): unknown {
  return {
    id: repo,
    sha: commitOf(files),
    gated: false,
    ...(behaviour.license !== undefined && { cardData: { license: behaviour.license } }),
    siblings: Object.entries(files).map(([rfilename, bytes]) => ({
      rfilename,
      size: bytes.length,
      ...(behaviour.lfs !== false && {
        lfs: {
          sha256: behaviour.wrongHash === true ? "0".repeat(64) : sha256(bytes),
          size: bytes.length,
          pointerSize: 134,
        },
      }),
    })),
  };
}

interface FileAnswer {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly name: string;
  readonly bytes: Uint8Array;
}

let versions = 0;

async function sendFile(parts: Parts, { request, response, name, bytes }: FileAnswer): Promise<void> {
  const { behaviour } = parts;
  const status = behaviour.statuses?.shift();
  if (status !== undefined) {
    send(response, status, { error: `status ${status}` });
    return;
  }
  const etag = behaviour.changingEtag === true ? `"v${++versions}"` : `"${sha256(bytes)}"`;
  const headers = { "accept-ranges": "bytes", ...(behaviour.noEtag !== true && { etag }) };
  const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  const fresh = request.headers["if-range"] === undefined || request.headers["if-range"] === etag;
  if (!match || !fresh || behaviour.noRanges === true) {
    response.writeHead(200, { ...headers, "content-length": bytes.length });
    await sendBody(parts, { response, name, bytes });
    return;
  }
  const start = Number(match[1]);
  const end = Math.min(Number(match[2]) + 1, bytes.length);
  if (start >= bytes.length) {
    response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
    return;
  }
  response.writeHead(206, {
    ...headers,
    "content-length": end - start,
    "content-range": `bytes ${start}-${end - 1}/${bytes.length}`,
  });
  await sendBody(parts, { response, name, bytes: bytes.subarray(start, end) });
}

async function sendBody(parts: Parts, { response, name, bytes }: Omit<FileAnswer, "request">): Promise<void> {
  const { behaviour, sent } = parts;
  const step = behaviour.slow?.bytes ?? 64 * 1024;
  for (let at = 0; at < bytes.length && !response.destroyed; at += step) {
    const limit = behaviour.failAfterBytes;
    if (limit !== undefined && at + step > limit && (behaviour.failTimes ?? Infinity) > 0) {
      const rest = bytes.subarray(at, limit);
      await write(response, rest);
      sent.set(name, (sent.get(name) ?? 0) + rest.length);
      behaviour.failTimes = (behaviour.failTimes ?? Infinity) - 1;
      response.destroy();
      return;
    }
    if (behaviour.stallAfterBytes !== undefined && at >= behaviour.stallAfterBytes) return;
    const piece = bytes.subarray(at, at + step);
    await write(response, piece);
    sent.set(name, (sent.get(name) ?? 0) + piece.length);
    if (behaviour.slow) await pause(behaviour.slow.ms);
  }
  response.end();
}

async function write(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  if (response.write(bytes) || response.destroyed) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      response.off("drain", go).off("close", go);
      resolve();
    };
    response.once("drain", go).once("close", go);
  });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function listen(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}
