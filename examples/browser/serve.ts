// A chat with a model from disk in a browser page; nothing leaves the browser. Run: node examples/browser/serve.ts [port]
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { stripTypeScriptTypes } from "node:module";
import { extname } from "node:path";
import { pathToFileURL } from "node:url";

const root = new URL("../../", import.meta.url);
/** All that the page needs: itself, the sources, and the one dependency of the chat templates. */
const served = ["/examples/browser/", "/src/", "/node_modules/@huggingface/jinja/dist/"];
const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".ts": "text/javascript; charset=utf-8",
};

const headers = {
  // Threads share memory only in a page that is isolated from other origins.
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  // The page loads nothing from elsewhere and sends nothing anywhere.
  "content-security-policy": "default-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; img-src 'self' data:",
  "cache-control": "no-cache",
};

/** Serves the page on this machine alone. Port 0 takes a free one. */
export async function servePage(port: number): Promise<{ readonly url: string; close(): void }> {
  const server: Server = createServer((request, response) => {
    void answer(request.url ?? "/", response).catch((error: unknown) => {
      response.writeHead(500, headers).end(String(error));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${bound}/examples/browser/`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(target: string, response: ServerResponse): Promise<void> {
  // The URL parser takes `..` out of the path.
  const { pathname } = new URL(target, "http://localhost");
  if (pathname === "/") {
    response.writeHead(302, { ...headers, location: "/examples/browser/" }).end();
    return;
  }
  const path = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
  const type = types[extname(path)];
  const body = type !== undefined && served.some((folder) => path.startsWith(folder)) ? await load(path) : undefined;
  if (type === undefined || body === undefined) response.writeHead(404, headers).end("Not found.\n");
  else response.writeHead(200, { ...headers, "content-type": type }).end(body);
}

/** A file as a browser can read it; undefined: there is none. */
async function load(path: string): Promise<string | undefined> {
  const text = await readFile(new URL(`.${path}`, root), "utf8").catch(() => undefined);
  return text !== undefined && path.endsWith(".ts") ? stripTypeScriptTypes(text) : text;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { url } = await servePage(Number(process.argv[2] ?? 8080));
  console.log(`Open ${url} in a browser, and choose a GGUF file of a small model.`);
}
