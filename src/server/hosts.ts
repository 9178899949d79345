/** Who may call: names the server answers to, and web origins. Guards against DNS rebinding and hostile pages. */
import { isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import type { Settings } from "../config/settings.ts";
import { HearthError } from "../error.ts";

export interface HostRules {
  /** Throws `forbidden`. */
  check(request: Request): void;
  /** The origin to name in `Access-Control-Allow-Origin`, if it may read the answer. */
  allowedOrigin(request: Request): string | undefined;
}

export interface HostRuleOptions extends Pick<Settings, "allowHost" | "allowOrigin"> {
  /** Address the server binds, if it listens. */
  readonly host?: string | undefined;
}

const local = ["localhost", "127.0.0.1", "[::1]"];
const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/** Throws `usage` for an origin that is not one, such as `*`. */
export function createHostRules({ allowHost, allowOrigin, host }: HostRuleOptions): HostRules {
  const names = new Set([...local, ...boundNames(host), ...allowHost.map(normalizeName)]);
  const origins = new Set(allowOrigin.map(normalizeOrigin));

  const sameOrigin = (request: Request, origin: string): boolean => {
    const asked = hostOf(request).toLowerCase();
    return origin === `http://${asked}` || origin === `https://${asked}`;
  };
  return {
    check(request) {
      for (const asked of hostsOf(request)) {
        const name = nameOf(asked);
        if (name === undefined || !names.has(name))
          throw forbidden("host", "This server does not answer to that Host.");
      }
      const origin = request.headers.get("origin");
      if (origin !== null) {
        if (origins.has(origin) || sameOrigin(request, origin)) return;
        throw forbidden("origin", "Pages of that web origin may not call this server.");
      }
      if (request.headers.get("sec-fetch-site") === "cross-site" && !safeMethods.has(request.method)) {
        throw forbidden("sec-fetch-site", "Another web site may not change anything here.");
      }
    },
    allowedOrigin(request) {
      const origin = request.headers.get("origin");
      return origin !== null && origins.has(origin) ? origin : undefined;
    },
  };
}

/** `127.0.0.0/8`, `::1` and `localhost`; any other name counts as public. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, "");
  return name === "localhost" || name === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

/** For a wildcard address: all addresses of this machine. An address cannot be rebound as a name can. */
function boundNames(host: string | undefined): readonly string[] {
  if (host === undefined) return [];
  if (host !== "0.0.0.0" && host !== "::" && host !== "[::]") return [normalizeName(host)];
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return [host, ...addresses.map(({ address }) => address)].map(normalizeName);
}

function normalizeName(host: string): string {
  const name = host.trim().toLowerCase();
  return isIPv6(name) ? `[${name}]` : name;
}

function normalizeOrigin(text: string): string {
  const origin = text.trim().replace(/\/$/, "");
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/*\s]+$/i.test(origin)) return origin.toLowerCase();
  throw new HearthError("usage", `--allow-origin is "${text}"; it must be an origin such as https://example.org.`, {
    hint: "List the origins one by one; there is no wildcard.",
  });
}

/** The request line may carry a host of its own beside the header: both must be right. */
function hostsOf(request: Request): readonly string[] {
  const header = request.headers.get("host");
  const { host } = new URL(request.url);
  return header === null ? [host] : [header, host];
}

function hostOf(request: Request): string {
  return request.headers.get("host") ?? new URL(request.url).host;
}

/** `Name:port` → `name`; undefined for anything that is not exactly that. */
function nameOf(host: string): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/.exec(host.toLowerCase())?.[1];
}

function forbidden(field: string, message: string): HearthError {
  return new HearthError("forbidden", message, { details: { field } });
}
