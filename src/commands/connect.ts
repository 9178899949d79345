/** Finding the running server for `ps`, `top`, `stop` and `doctor`. */
import { readFileSync } from "node:fs";
import type { Settings } from "../config/settings.ts";
import { HearthError } from "../error.ts";
import type { Context } from "./command.ts";
import type { ServerClient } from "./services.ts";

type Use = Pick<Context, "settings" | "services">;

/** A client of the server that host and port point at. Its calls throw `offline` when none answers. */
export async function connectServer({ settings, services }: Use): Promise<ServerClient> {
  return await services.connect({ baseUrl: serverUrl(settings), apiKey: readKey(settings) });
}

/** The address to call a server that is bound to `host`: one that listens everywhere is also on loopback. */
export function serverUrl({ host, port }: Pick<Settings, "host" | "port">): string {
  if (host === "0.0.0.0") return `http://127.0.0.1:${port}`;
  if (host === "::") return `http://[::1]:${port}`;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** The key that the server of the same settings would accept. */
function readKey(settings: Settings): string | undefined {
  if (settings.apiKey !== undefined || settings.apiKeyFile === undefined) return settings.apiKey;
  try {
    const lines = readFileSync(settings.apiKeyFile, "utf8").split("\n");
    const first = lines.map((line) => line.trim()).find((line) => line !== "" && !line.startsWith("#"));
    // A class may stand after the key.
    return first?.split(/\s+/)[0];
  } catch (cause) {
    throw new HearthError("usage", `The key file "${settings.apiKeyFile}" cannot be read.`, { cause, hint: "" });
  }
}
