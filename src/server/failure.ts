/** Errors on their way out: nothing of the inside may leave with them. */
import { HearthError, toHearthError } from "../error.ts";

/** An unexpected error loses its text, which only the log gets; the others lose paths of this machine. */
export function publicError(error: unknown): HearthError {
  const known = toHearthError(error);
  if (known.code === "internal") return new HearthError("internal", "Something went wrong inside hearth.");
  const { code, details, retryAfterSeconds } = known;
  // A path in a caller's own mistake is one that the caller sent, such as that of the request.
  if (known.status < 422) return known;
  return new HearthError(code, hidePaths(known.message), { hint: hidePaths(known.hint), details, retryAfterSeconds });
}

/** `/home/ann/models/x.gguf` → `x.gguf`. URLs stay. */
export function hidePaths(text: string): string {
  return text
    .replaceAll(/(?<![\w:/.~-])~?(?:\/[^\s"'`/:;,()<>]+)+\/([^\s"'`/:;,()<>]+)/g, "$1")
    .replaceAll(/(?<!\w)[A-Za-z]:\\(?:[^\s"'`\\]+\\)*([^\s"'`\\]+)/g, "$1");
}

const defaultRetrySeconds = 5;

/** Headers that go with the status. */
export function errorHeaders(error: HearthError): Readonly<Record<string, string>> {
  const { allow } = error.details;
  if (Array.isArray(allow)) return { allow: allow.join(", ") };
  if (error.code === "unauthorized") return { "www-authenticate": 'Bearer realm="hearth"' };
  // Trying again does not install an engine.
  if (![429, 503].includes(error.status) || error.code === "engine_missing") return {};
  return { "retry-after": String(Math.max(1, Math.ceil(error.retryAfterSeconds ?? defaultRetrySeconds))) };
}
