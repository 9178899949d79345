/** Functions of WebAssembly as expressions: every instruction is a function from code to code. */
import { unsigned } from "./leb.ts";

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

/** Instructions, encoded. */
export type Code = readonly number[];

export interface FunctionCode {
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  readonly locals: readonly ValueType[];
  readonly body: Code;
}

/** A parameter or local variable. */
export interface Local {
  readonly get: Code;
  set(value: Code): Code;
  tee(value: Code): Code;
}

export interface Scope {
  param(type: ValueType): Local;
  local(type: ValueType): Local;
  locals(type: ValueType, count: number): Local[];
}

/** Builds one function. `write` declares its parameters first, then its locals, and returns its body. */
export function func(name: string, write: (scope: Scope) => Code, results: readonly ValueType[] = []): FunctionCode {
  const params: ValueType[] = [];
  const locals: ValueType[] = [];
  const scope: Scope = {
    param(type) {
      if (locals.length > 0) throw new Error(`${name}: parameters come before locals`);
      return variable(params.push(type) - 1);
    },
    local: (type) => variable(params.length + locals.push(type) - 1),
    locals: (type, count) => Array.from({ length: count }, () => scope.local(type)),
  };
  const body = write(scope);
  return { name, params, results, locals, body };
}

function variable(index: number): Local {
  const id = unsigned(index);
  return {
    get: [0x20, ...id],
    set: (value) => [...value, 0x21, ...id],
    tee: (value) => [...value, 0x22, ...id],
  };
}

export function sequence(...parts: readonly (Code | readonly Code[])[]): Code {
  const bytes: number[] = [];
  for (const part of parts) {
    for (const item of part) {
      if (typeof item === "number") bytes.push(item);
      else for (const byte of item) bytes.push(byte);
    }
  }
  return bytes;
}

/** Runs the body, and again while the condition at its end is not 0. */
export function loopWhile(body: Code, condition: Code): Code {
  return [0x03, 0x40, ...body, ...condition, 0x0d, 0x00, 0x0b];
}

export function when(condition: Code, then: Code, otherwise?: Code): Code {
  return [...condition, 0x04, 0x40, ...then, ...(otherwise ? [0x05, ...otherwise] : []), 0x0b];
}
