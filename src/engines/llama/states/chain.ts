/** Names of prompts and of their prefixes. */
import { createHash } from "node:crypto";

/** Prefixes are told apart in steps of so many tokens. */
export const strideTokens = 64;

export interface PromptScope {
  /** What the state of these tokens depends on besides the tokens: model, engine, types. */
  readonly identity: string;
  readonly tenant: string | undefined;
}

/** SHA-256 names of the first 64, 128, … tokens: each of the name before and the tokens since, the first one of the scope. */
export function prefixNames(scope: PromptScope, tokens: readonly number[]): string[] {
  const names: string[] = [];
  let name = scopeName(scope);
  for (let end = strideTokens; end <= tokens.length; end += strideTokens) {
    name = nextName(name, tokens.slice(end - strideTokens, end));
    names.push(name);
  }
  return names;
}

/** The name of all of the tokens. */
export function promptName(scope: PromptScope, tokens: readonly number[]): string {
  const last = prefixNames(scope, tokens).at(-1) ?? scopeName(scope);
  const rest = tokens.slice(tokens.length - (tokens.length % strideTokens));
  // Told apart from a prefix of the same length by its mark.
  return sha256(`${nextName(last, rest)} whole`);
}

function scopeName({ identity, tenant }: PromptScope): string {
  return sha256(JSON.stringify([identity, tenant ?? null]));
}

function nextName(name: string, tokens: readonly number[]): string {
  return sha256(Buffer.concat([Buffer.from(name, "hex"), Buffer.from(Int32Array.from(tokens).buffer)]));
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
