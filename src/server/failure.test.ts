import { expect, test } from "vitest";
import { HearthError } from "../error.ts";
import { hidePaths, publicError } from "./failure.ts";

test.each([
  ['Loading "/home/ann/models/x.gguf" failed.', 'Loading "x.gguf" failed.'],
  ["ENOENT: no such file, open '/var/lib/hearth/blobs/sha256-1'", "ENOENT: no such file, open 'sha256-1'"],
  ["at ~/models/a.gguf:", "at a.gguf:"],
  ["C:\\Users\\Ann\\x.gguf is damaged", "x.gguf is damaged"],
  ["https://example.org/owner/repo/x.gguf answered 500", "https://example.org/owner/repo/x.gguf answered 500"],
  ["hf:owner/repo/file.gguf has 3/4 parts", "hf:owner/repo/file.gguf has 3/4 parts"],
  ["owner/name and a/b/c", "owner/name and a/b/c"],
])("%s → %s", (text, expected) => {
  expect(hidePaths(text)).toBe(expected);
});

test("an unexpected error keeps nothing of its text", () => {
  const error = publicError(new Error("secret at /home/ann"));
  expect(error).toMatchObject({ code: "internal", status: 500, message: "Something went wrong inside hearth." });
  expect(error.cause).toBeUndefined();
});

test("a known error keeps its code, details and time to wait", () => {
  const known = new HearthError("queue_full", "Full.", { retryAfterSeconds: 3, details: { waiting: 9 } });
  expect(publicError(known)).toMatchObject({ code: "queue_full", retryAfterSeconds: 3, details: { waiting: 9 } });
});
