/** Path and method → route. */
import { RegExpRouter } from "hono/router/reg-exp-router";
import { SmartRouter } from "hono/router/smart-router";
import { TrieRouter } from "hono/router/trie-router";
import type { Dialect, Route } from "../dialects/route.ts";

export interface Match {
  readonly route: Route;
  /** Undefined: one of the server's own. */
  readonly dialect: Dialect | undefined;
  readonly params: Readonly<Record<string, string>>;
}

export interface Entry {
  readonly route: Route;
  readonly dialect: Dialect | undefined;
}

export interface RouteTable {
  /** HEAD is answered by GET where it has no route of its own. */
  find(method: string, path: string): Match | undefined;
  /** Methods that the path has, for a 405. */
  methods(path: string): readonly string[];
}

const known = ["GET", "HEAD", "POST", "DELETE"] as const;

/** The path is matched as it was sent: `/V1`, `//v1` and `/%76%31` are other paths, with no route. */
export function createRouteTable(entries: readonly Entry[]): RouteTable {
  const router = new SmartRouter<Entry>({ routers: [new RegExpRouter(), new TrieRouter()] });
  for (const entry of entries) router.add(entry.route.method, entry.route.path, entry);

  const lookUp = (method: string, path: string): Match | undefined => {
    const [matches, stash] = router.match(method, path);
    const [first] = matches;
    if (!first) return undefined;
    const [entry, indices] = first;
    const params: Record<string, string> = {};
    for (const [name, value] of Object.entries(indices)) {
      const text = typeof value === "number" ? stash?.[value] : value;
      params[name] = decode(text ?? "");
    }
    return { ...entry, params };
  };
  const find: RouteTable["find"] = (method, path) =>
    lookUp(method, path) ?? (method === "HEAD" ? lookUp("GET", path) : undefined);
  return { find, methods: (path) => known.filter((method) => find(method, path)) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
