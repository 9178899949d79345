/** Turns a JSON body into a typed one; a wrong field becomes one sentence that names it. */
import type { z } from "zod";
import { HearthError } from "../../error.ts";

type Issue = z.core.$ZodIssue;

/** Throws `bad_request` with details {field}. A null at the top level counts as absent, as clients often send it. */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new HearthError("bad_request", `The body is ${kindOf(body)}; it must be a JSON object.`);
  }
  const present = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
  const result = schema.safeParse(present, { reportInput: true });
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw issue ? fieldError(issue) : new HearthError("bad_request", "The body is not valid.");
}

/** A mistake in one field that no schema can express. */
export function badField(field: string, problem: string, hint?: string): HearthError {
  return new HearthError("bad_request", `${field} ${problem}.`, { hint, details: { field } });
}

/** `["messages", 0, "content"]` → `messages[0].content`. */
export function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}

function fieldError(issue: Issue): HearthError {
  return badField(fieldPath(issue.path) || "body", describe(issue));
}

function describe(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return "is missing";
      // A schema that was given words of its own says more than the name of a type.
      if (!issue.message.startsWith("Invalid input")) return issue.message;
      return `is ${kindOf(issue.input)}; it must be ${withArticle(issue.expected)}`;
    case "too_big":
      return `${sizeOf(issue.input)}; it must ${bound(issue.origin)} at most ${String(issue.maximum)}`;
    case "too_small":
      return `${sizeOf(issue.input)}; it must ${bound(issue.origin)} ${issue.inclusive === false ? "more than" : "at least"} ${String(issue.minimum)}`;
    case "invalid_value":
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
    default:
      return issue.message;
  }
}

/** What a value is, without repeating text that may be private. */
function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return withArticle(typeof value);
}

function withArticle(kind: string): string {
  if (kind === "int") return "a whole number";
  if (kind === "record") return "an object";
  return /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}

function sizeOf(value: unknown): string {
  if (typeof value === "string") return `has ${value.length} characters`;
  if (Array.isArray(value)) return `has ${value.length} items`;
  return `is ${kindOf(value)}`;
}

function bound(origin: string): string {
  return origin === "array" || origin === "string" ? "have" : "be";
}
