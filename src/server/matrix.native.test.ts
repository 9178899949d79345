import { expect, test } from "vitest";
import { createFakeHearth } from "../../test/fake-hearth.ts";
import { describeHttp } from "../../test/http.ts";
import { ollama } from "../dialects/ollama/index.ts";
import { openai } from "../dialects/openai/routes.ts";
import type { Route } from "../dialects/route.ts";

/** Matrices over the live route table: a new route is in them by itself. */
const dialects = [openai, ollama];
const listed = "https://app.example.org";

function pathOf(route: Route): string {
  return route.path.replaceAll(/:(\w+)(\{[^}]*\})?/g, "tiny");
}

function nameOf(route: Route): string {
  return `${route.method} ${route.path}`;
}

function initOf(route: Route, headers: Readonly<Record<string, string>>) {
  const body = route.method === "POST" || route.method === "DELETE" ? { body: { model: "tiny" } } : {};
  return { method: route.method, headers, ...body };
}

const hostileHeaders: readonly Readonly<Record<string, string>>[] = [
  { host: "evil.com" },
  { host: "evil.com:11535" },
  { host: "127.0.0.1.evil.com" },
  { host: "localhost.evil.com" },
  { host: "localhost." },
  { host: "EVIL.COM" },
  { host: "ann@localhost" },
  { host: "localhost, evil.com" },
  { host: "localhost:port" },
  { host: "192.168.1.77" },
  { host: "[::2]" },
  { host: "0" },
  { host: "2130706433" },
  { host: "localhost", origin: "null" },
  { host: "localhost", origin: "http://evil.com" },
  { host: "localhost", origin: "http://localhost.evil.com" },
  { host: "localhost", origin: "http://localhost:9999" },
  { host: "localhost", origin: "file://" },
  { host: "localhost", origin: `${listed}.evil.com` },
  { host: "localhost", origin: `${listed}:444` },
  { host: "localhost", origin: listed.toUpperCase() },
  { host: "localhost", "x-forwarded-host": "localhost", origin: "http://evil.com" },
];

describeHttp(
  "a hostile page",
  () => ({ hearth: createFakeHearth({ settings: { allowOrigin: [listed] } }), dialects }),
  (http) => {
    test.each(hostileHeaders)("with %j reaches no route", async (headers) => {
      expect(http.app.routes.length).toBeGreaterThan(8);
      const reached: string[] = [];
      for (const route of http.app.routes) {
        const response = await http.request(pathOf(route), initOf(route, headers));
        // A Host that is no host at all does not get as far as the app: 400.
        const refused = response.status === 403 || response.status === 400;
        if (!refused || response.headers.has("access-control-allow-origin")) reached.push(nameOf(route));
      }
      expect(reached).toEqual([]);
    });

    test("cannot change anything by a request of another site", async () => {
      const headers = { host: "localhost", "sec-fetch-site": "cross-site" };
      const routes = http.app.routes.filter(({ method }) => method === "POST" || method === "DELETE");
      const statuses = await Promise.all(
        routes.map(async (route) => (await http.request(pathOf(route), initOf(route, headers))).status),
      );
      expect(statuses).toEqual(routes.map(() => 403));
    });

    test("gets no preflight", async () => {
      const headers = { host: "localhost", origin: "http://evil.com", "access-control-request-method": "POST" };
      const response = await http.request("/v1/chat/completions", { method: "OPTIONS", headers });
      expect(response.status).toBe(403);
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
    });

    test.each(["localhost", "LOCALHOST:11535", "127.0.0.1:1", "[::1]:11535"])("Host %s is fine", async (host) => {
      expect((await http.request("/v1/models", { headers: { host } })).status).toBe(200);
    });

    test("a page of a listed origin may ask and read", async () => {
      const asked = {
        host: "localhost",
        origin: listed,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
      };
      const answer = await http.request("/v1/chat/completions", { method: "OPTIONS", headers: asked });
      expect(answer.status).toBe(204);
      expect(answer.headers.get("access-control-allow-origin")).toBe(listed);
      expect(answer.headers.get("access-control-allow-headers")).toBe("authorization,content-type");
      const response = await http.request("/v1/models", {
        headers: { host: "localhost", origin: listed, "sec-fetch-site": "cross-site" },
      });
      expect(response.status).toBe(200);
      expect(response.headers.get("access-control-allow-origin")).toBe(listed);
      expect(response.headers.get("vary")).toContain("origin");
    });

    test("a page that the server itself served may ask", async () => {
      const headers = { host: "localhost:11535", origin: "http://localhost:11535" };
      expect((await http.request("/v1/models", { headers })).status).toBe(200);
    });
  },
);

describeHttp(
  "keys",
  () => ({ hearth: createFakeHearth({ settings: { apiKey: "right-key" } }), dialects }),
  (http) => {
    const credentials: readonly [string, Readonly<Record<string, string>>, boolean][] = [
      ["none", {}, false],
      ["wrong", { authorization: "Bearer wrong-key" }, false],
      ["a prefix", { authorization: "Bearer right-ke" }, false],
      ["in the wrong scheme", { authorization: "Basic right-key" }, false],
      ["in a cookie", { cookie: "key=right-key" }, false],
      ["right", { authorization: "Bearer right-key" }, true],
      ["right, as x-api-key", { "x-api-key": "right-key" }, true],
    ];

    test.each(credentials)("%s: every route does as it is declared", async (_name, headers, known) => {
      const wrong: string[] = [];
      for (const route of http.app.routes) {
        const { status } = await http.request(pathOf(route), initOf(route, headers));
        const open = known || route.access === "public";
        if ((status === 401) === open) wrong.push(`${nameOf(route)}: ${status}`);
      }
      expect(wrong).toEqual([]);
    });

    test("at most three paths are public", () => {
      const open = http.app.routes.filter(({ access }) => access === "public").map(({ path }) => path);
      expect(new Set(open).size).toBeLessThanOrEqual(3);
    });

    test.each([
      "/v1/models",
      "//v1/models",
      "/V1/models",
      "/%76%31/models",
      "/v1/../v1/models",
      "/health/../v1/models",
      "/health/%2e%2e/v1/models",
      "/v1/models;x",
      "/v1/models?x=/health",
      "/v1%2Fmodels",
      "/health/",
      "/health%2f..%2fv1/models",
      "/%252576%2531/models",
      "/nothing",
    ])("no spelling of a path gets past them: %s", async (path) => {
      for (const extra of [{}, { "x-original-url": "/health" }, { "x-forwarded-for": "127.0.0.1" }]) {
        expect((await http.request(path, { headers: extra })).status).toBe(401);
      }
      const response = await http.request(path, { headers: { authorization: "Bearer right-key" } });
      expect([200, 404]).toContain(response.status);
    });

    test("a 401 says how to send one", async () => {
      const response = await http.request("/v1/models");
      expect(response.headers.get("www-authenticate")).toBe('Bearer realm="hearth"');
      expect(await response.json()).toMatchObject({ error: { code: "invalid_api_key", type: "authentication_error" } });
    });
  },
);
