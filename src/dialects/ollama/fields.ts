import type { z } from "zod";
import { HearthError } from "../../error.ts";
import { closest } from "../../util/distance.ts";
import { badField, parseBody } from "../shared/body.ts";

/** An option that is understood but that nothing here could honour. */
export function unsupported(field: string, reason: string): HearthError {
  return new HearthError("unsupported_option", `${field} is not supported here: ${reason}.`, {
    hint: "Leave it out.",
    details: { field },
  });
}

/** Checks one value; `field` is its place in the body. Throws `bad_request`. */
export function parseField<T>(schema: z.ZodType<T>, value: unknown, field: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const message = result.error.issues[0]?.message ?? "invalid";
  throw badField(field, message.replace(/^Invalid input: expected (\w+), received (\w+)$/, "is $2; it must be $1"));
}

/**
 * A parser of bodies. Unknown fields are dropped, as Ollama does, unless the caller plainly meant one that would
 * change the answer: a misspelt one, or one of `elsewhere` (field → where it belongs).
 */
export function createParser<T>(
  schema: z.ZodType<T> & { readonly shape: object },
  elsewhere: Readonly<Record<string, string>> = {},
): (body: unknown) => T {
  const known = Object.keys(schema.shape);
  return (body) => {
    if (typeof body === "object" && body !== null) checkFields(body, known, elsewhere);
    return parseBody(schema, body);
  };
}

function checkFields(body: object, known: readonly string[], elsewhere: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(body)) {
    if (known.includes(name) || isEmpty(value)) continue;
    const place = Object.hasOwn(elsewhere, name) ? elsewhere[name] : undefined;
    if (place !== undefined) throw badField(name, place);
    const meant = name.length > 4 && name.length < 40 ? closest(name, known)[0] : undefined;
    if (meant !== undefined) throw badField(name, `is not a field of this request; "${meant}" is`);
  }
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    value === "" ||
    value === false ||
    (Array.isArray(value) && value.length === 0)
  );
}
