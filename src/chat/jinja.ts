/**
 * The parts of `@huggingface/jinja` that are used here, typed: the declarations of the package import their own files
 * without an extension, which Node's resolution does not find.
 */
import * as jinja from "@huggingface/jinja";

export interface JinjaNode {
  readonly type: string;
}
export interface JinjaProgram extends JinjaNode {
  readonly body: readonly JinjaNode[];
}
export interface JinjaValue {
  readonly type: string;
  readonly value: unknown;
}
export interface JinjaScope {
  /** Declares a variable. Throws when it exists. */
  set(name: string, value: unknown): void;
}
export interface JinjaInterpreter {
  evaluate(node: JinjaNode | undefined, scope: JinjaScope): JinjaValue;
  run(program: JinjaProgram): JinjaValue;
}

interface Jinja {
  readonly Environment: new () => JinjaScope;
  readonly Interpreter: new (scope: JinjaScope) => JinjaInterpreter;
  readonly tokenize: (
    source: string,
    options: { readonly lstrip_blocks: boolean; readonly trim_blocks: boolean },
  ) => readonly unknown[];
  readonly parse: (tokens: readonly unknown[]) => JinjaProgram;
}

const typed = jinja as unknown as Jinja;

export const Environment: Jinja["Environment"] = typed.Environment;
export const Interpreter: Jinja["Interpreter"] = typed.Interpreter;
export const tokenize: Jinja["tokenize"] = typed.tokenize;
export const parse: Jinja["parse"] = typed.parse;
