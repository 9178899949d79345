import { HearthError } from "../error.ts";
import { templateGlobals, TemplateRaised } from "./globals.ts";
import { BoundedInterpreter } from "./interpreter.ts";
import { Environment, parse, tokenize } from "./jinja.ts";
import type { JinjaProgram } from "./jinja.ts";
import { createMeter, renderLimits, stopped } from "./limits.ts";
import type { RenderLimits } from "./limits.ts";
import { prepare } from "./nodes.ts";
import type { Marks } from "./nodes.ts";

/** A parsed chat template. */
export interface CompiledTemplate {
  readonly source: string;
  readonly program: JinjaProgram;
  readonly marks: Marks;
}

/** Templates in use, least recently used first; at most this many, each of at most 256 KiB. */
const cache = new Map<string, CompiledTemplate>();
const cacheSize = 32;

/** Parses a Jinja chat template, or takes it from the cache. Throws `template_failed`. */
export function compileTemplate(source: string): CompiledTemplate {
  const cached = cache.get(source);
  if (cached) cache.delete(source);
  const compiled = cached ?? parseTemplate(source);
  cache.set(source, compiled);
  const oldest = cache.keys().next().value;
  if (cache.size > cacheSize && oldest !== undefined) cache.delete(oldest);
  return compiled;
}

function parseTemplate(source: string): CompiledTemplate {
  const { templateChars } = renderLimits;
  if (source.length > templateChars) throw stopped(`it is longer than ${templateChars} characters`);
  // The tokenizer looks for a tag after white space with a backtracking pattern: long runs would take quadratic time.
  if (longestSpace(source) > 512) throw stopped("it has more than 512 white space characters in a row");
  try {
    const program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
    return { source, program, marks: prepare(program) };
  } catch (error) {
    if (error instanceof HearthError) throw error;
    throw new HearthError("template_failed", `The chat template cannot be read: ${reasonOf(error)}`, {
      hint: "Give another template, or use another model.",
      cause: error,
    });
  }
}

export interface RenderOptions {
  readonly limits?: Partial<RenderLimits>;
  /** What `strftime_now` tells. */
  readonly now?: Date;
}

/**
 * Renders a template with the limits of `renderLimits`. A normal template takes well under a millisecond.
 * Throws `TemplateRaised` when the template itself rejects the messages, `template_failed` for all else.
 */
export function renderTemplate(
  template: CompiledTemplate,
  variables: Readonly<Record<string, unknown>>,
  options: RenderOptions = {},
): string {
  const limits = { ...renderLimits, ...options.limits };
  const scope = new Environment();
  const globals = templateGlobals(limits, options.now ?? new Date());
  try {
    for (const [name, value] of Object.entries(globals)) if (!(name in variables)) scope.set(name, value);
    for (const [name, value] of Object.entries(variables)) if (name !== "namespace") scope.set(name, value);
    const interpreter = new BoundedInterpreter(scope, createMeter(limits), template.marks);
    return String(interpreter.run(template.program).value);
  } catch (error) {
    if (error instanceof HearthError || error instanceof TemplateRaised) throw error;
    throw new HearthError("template_failed", `The chat template failed: ${reasonOf(error)}`, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof RangeError) return "it is nested too deeply or its text is too long.";
  const text = error instanceof Error ? error.message : String(error);
  return text === "" ? "it uses `break` or `continue` outside a loop." : text.slice(0, 300);
}

function longestSpace(source: string): number {
  let longest = 0;
  let run = 0;
  for (let index = 0; index < source.length; index++) {
    run = isSpace(source.charCodeAt(index)) ? run + 1 : 0;
    if (run > longest) longest = run;
  }
  return longest;
}

/** What `\s` matches in a pattern, or a little more. */
function isSpace(code: number): boolean {
  return code <= 32 || (code >= 0x80 && String.fromCharCode(code).trim() === "");
}
