import { describe, expect, test } from "vitest";
import { HearthError } from "../../src/error.ts";
import type { ClientOptions } from "../../src/client/http.ts";
import type { LoadedSummary } from "../../src/client/types.ts";
import { serverUrl } from "../../src/commands/connect.ts";
import type { Services } from "../../src/commands/services.ts";
import { createFakeHearth } from "./fake-hearth.ts";
import { hearth, start } from "./run-main.ts";

const loaded: LoadedSummary = {
  name: "tiny:1b",
  id: "abc",
  state: "ready",
  engine: "llama",
  device: "cpu",
  contextTokens: 2048,
  parallel: 8,
  running: 2,
  waiting: 1,
  ramBytes: 1024 ** 3,
  vramBytes: 0,
  expiresAt: undefined,
};

function connect(
  options: { stops?: boolean; seen?: ClientOptions[]; slept?: string[] } = {},
): Pick<Services, "connect"> {
  return {
    async connect(client) {
      options.seen?.push(client);
      return {
        health: async () => ({ status: "ok", version: "1.0.0" }),
        loaded: async () => [loaded],
        stats: async () => ({ atMs: 0, models: [] }),
        stop: async () => options.stops ?? true,
        async sleep(name) {
          options.slept?.push(name);
        },
      };
    },
  };
}

const nobody: Pick<Services, "connect"> = {
  async connect({ baseUrl }) {
    const fail = (): Promise<never> => Promise.reject(new HearthError("offline", `No server answers at ${baseUrl}.`));
    return { health: fail, loaded: fail, stats: fail, stop: fail, sleep: fail };
  },
};

describe("hearth serve", () => {
  function fakeServer(): { services: Partial<Services>; shutdowns: () => number } {
    let shutdowns = 0;
    const closed = Promise.withResolvers<void>();
    return {
      shutdowns: () => shutdowns,
      services: {
        serve: async ({ hearth: { settings } }) => ({
          url: `http://${settings.host}:${settings.port}`,
          closed: closed.promise,
          async shutdown() {
            shutdowns++;
            closed.resolve();
          },
        }),
      },
    };
  }

  test("prints exactly one line with the address, then drains on SIGTERM and exits with 0", async () => {
    const stop = new AbortController();
    const { services, shutdowns } = fakeServer();
    const fake = createFakeHearth();
    const live = start(["serve", "--host", "127.0.0.1", "--port", "4321"], {
      hearth: fake,
      services,
      signal: stop.signal,
    });
    await live.see("hearth is listening on http://127.0.0.1:4321\n");
    expect(shutdowns()).toBe(0);
    stop.abort();
    const { code, stdout } = await live.done;
    expect(code).toBe(0);
    expect(stdout).toBe("hearth is listening on http://127.0.0.1:4321\n");
    expect(shutdowns()).toBe(1);
    expect(fake.disposed).toBe(true);
  });

  test("--json prints the address as one line of JSON", async () => {
    const { services } = fakeServer();
    const { stdout } = await hearth(["serve", "--json", "--port", "1"], {
      hearth: createFakeHearth(),
      services,
      signal: AbortSignal.abort(),
    });
    expect(stdout).toBe('{"url":"http://127.0.0.1:1"}\n');
  });

  test("a port in use is one sentence, what to do, and exit code 1", async () => {
    const serve = (): Promise<never> =>
      Promise.reject(new HearthError("port_in_use", "Port 80 on 127.0.0.1 is in use."));
    const { code, stdout, stderr } = await hearth(["serve"], { hearth: createFakeHearth(), services: { serve } });
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/Port 80 on 127\.0\.0\.1 is in use\.\n.+\n$/);
  });
});

describe("hearth ps and stop", () => {
  test("ps shows what the server has loaded", async () => {
    const { stdout } = await hearth(["ps"], { services: connect() });
    expect(stdout).toMatch(/^tiny:1b +llama +cpu +1\.0 GiB +2048 +ready +2 +1 +stopped$/m);
  });

  test("ps asks the server of --host and --port, with the key of the environment", async () => {
    const seen: ClientOptions[] = [];
    const env = { HEARTH_API_KEY: "secret" };
    await hearth(["ps", "--host", "0.0.0.0", "--port", "99"], { services: connect({ seen }), env });
    expect(seen).toEqual([{ baseUrl: "http://127.0.0.1:99", apiKey: "secret" }]);
  });

  test.each([["ps"], ["top"], ["top", "--json"], ["stop", "tiny"], ["sleep", "tiny"]])(
    "without a server `hearth %s` says so and exits with 1",
    async (...words) => {
      const { code, stdout, stderr } = await hearth(words, { services: nobody });
      expect(code).toBe(1);
      expect(stdout).toBe("");
      expect(stderr).toContain("No server answers at http://127.0.0.1:11535.");
    },
  );

  test("sleep asks the server to put a model to sleep", async () => {
    const slept: string[] = [];
    const { stdout } = await hearth(["sleep", "tiny:1b"], { services: connect({ slept }) });
    expect([stdout, slept]).toEqual(["tiny:1b is asleep.\n", ["tiny:1b"]]);
  });

  test("stop unloads a model", async () => {
    expect((await hearth(["stop", "tiny:1b"], { services: connect() })).stdout).toBe("tiny:1b is unloaded.\n");
  });

  test("stopping what is not loaded is an error that names what is", async () => {
    const { code, stderr } = await hearth(["stop", "tinny:1b"], { services: connect({ stops: false }) });
    expect(code).toBe(1);
    expect(stderr).toContain('"tinny:1b" is not loaded. Did you mean "tiny:1b"?');
  });
});

test.each([
  ["127.0.0.1", "http://127.0.0.1:1"],
  ["0.0.0.0", "http://127.0.0.1:1"],
  ["::", "http://[::1]:1"],
  ["::1", "http://[::1]:1"],
  ["box.local", "http://box.local:1"],
])("a server bound to %s is called at %s", (host, url) => {
  expect(serverUrl({ host, port: 1 })).toBe(url);
});
