import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createAuth } from "./auth.ts";

const none = { apiKey: undefined, apiKeyFile: undefined };

function file(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "hearth-keys-")), "keys");
  writeFileSync(path, text);
  return path;
}

function bearer(key: string): Headers {
  return new Headers({ authorization: `Bearer ${key}` });
}

describe("keys", () => {
  test("without one, everybody is the local tenant, whatever they send", () => {
    const auth = createAuth(none);
    expect(auth.required).toBe(false);
    expect(auth.authenticate(new Headers())).toEqual({ tenant: "local" });
    expect(auth.authenticate(bearer("ollama"))).toEqual({ tenant: "local" });
  });

  test("are read from a file, one a line, with comments", () => {
    const auth = createAuth({ apiKey: undefined, apiKeyFile: file("# team\nkey-one-aaaa\r\n\n  key-two-bbbb\n") });
    expect(() => auth.authenticate(bearer("key-one-aaaa"))).not.toThrow();
    expect(() => auth.authenticate(new Headers({ "x-api-key": "key-two-bbbb" }))).not.toThrow();
    expect(() => auth.authenticate(bearer("# team"))).toThrow("none was sent");
    expect(() => auth.authenticate(bearer("key-three"))).toThrow("not one of");
  });

  test("make a tenant each, which does not show the key", () => {
    const auth = createAuth({ apiKey: "secret-1", apiKeyFile: file("secret-2") });
    const [one, two] = ["secret-1", "secret-2"].map((key) => auth.authenticate(bearer(key)).tenant);
    expect(one).not.toBe(two);
    expect(one).toBe(auth.authenticate(new Headers({ "x-api-key": "secret-1" })).tenant);
    expect(`${one}${two}`).not.toContain("secret");
  });

  test("can have a class after them in the file, which their requests get", () => {
    const auth = createAuth({ ...none, apiKeyFile: file("plain\nnightly \t batch\nfast interactive\n") });
    expect(auth.authenticate(bearer("plain"))).not.toHaveProperty("priority");
    expect(auth.authenticate(bearer("nightly"))).toMatchObject({ priority: "batch" });
    expect(auth.authenticate(bearer("fast"))).toMatchObject({ priority: "interactive" });
  });

  test.each(["# keys\nsecret-1 bacth", "\nsecret-1 batch batch"])(
    "%j stops the start and names the line, not the key",
    (text) => {
      const start = () => createAuth({ ...none, apiKeyFile: file(text) });
      expect(start).toThrow(/line 2 of the file of API keys, .*, holds something/);
      expect(start).not.toThrow("secret");
    },
  );

  test.each([
    "",
    "Bearer",
    "Bearer ",
    "Basic c2VjcmV0",
    "secret",
    "Bearer secretx",
    "Bearer secre",
    "Bearer secret extra",
  ])("%j is not one", (authorization) => {
    const auth = createAuth({ ...none, apiKey: "secret" });
    expect(() => auth.authenticate(new Headers({ authorization }))).toThrow(/API key/);
  });

  test("a file that is missing or empty stops the start instead of opening the server", () => {
    expect(() => createAuth({ apiKey: undefined, apiKeyFile: file("\n# nothing\n") })).toThrow("holds no key");
    expect(() => createAuth({ apiKey: undefined, apiKeyFile: "/nonexistent/keys" })).toThrow("cannot be read");
    expect(() => createAuth({ ...none, apiKey: " " })).toThrow("empty");
  });
});
