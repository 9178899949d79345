import { isObject, malformed, shown } from "./json.ts";
import type { Json } from "./json.ts";

/**
 * The values of a `config.json`. Getters take one name, or several of which the first that is there counts; `null` counts as
 * absent. They throw `model_malformed` with {field} for values of another kind, and the `require…` ones for a missing value.
 */
export interface Config {
  /** What messages call the file. */
  readonly name: string;
  readonly values: Json;
  get(...names: readonly string[]): unknown;
  integer(...names: readonly string[]): number | undefined;
  number(...names: readonly string[]): number | undefined;
  boolean(...names: readonly string[]): boolean | undefined;
  text(...names: readonly string[]): string | undefined;
  object(...names: readonly string[]): Config | undefined;
  requireInteger(...names: readonly string[]): number;
  requireNumber(...names: readonly string[]): number;
}

const mostInteger = 2 ** 31 - 1;

export function createConfig(values: Json, name: string, path = ""): Config {
  const find = (names: readonly string[]): readonly [string, unknown] | undefined => {
    const found = names.find((key) => Object.hasOwn(values, key) && values[key] !== null);
    return found === undefined ? undefined : [found, values[found]];
  };
  const typed = <Value>(names: readonly string[], is: (value: unknown) => value is Value, what: string) => {
    const found = find(names);
    if (found === undefined) return undefined;
    const [key, value] = found;
    if (is(value)) return value;
    throw malformed(name, path + key, `is ${shown(value)}; it must be ${what}`);
  };
  const missing = (names: readonly string[]) =>
    malformed(name, path + (names[0] ?? ""), "is missing", "Is this the config.json of these weights?");
  const config: Config = {
    name,
    values,
    get: (...names) => find(names)?.[1],
    integer: (...names) => typed(names, isInteger, `a whole number from 0 to ${mostInteger}`),
    number: (...names) => typed(names, isNumber, "a number"),
    boolean: (...names) => typed(names, (value) => typeof value === "boolean", "true or false"),
    text: (...names) => typed(names, (value) => typeof value === "string", "a text"),
    object(...names) {
      const key = find(names)?.[0];
      const value = typed(names, isObject, "an object");
      return value && createConfig(value, name, `${path}${key}.`);
    },
    requireInteger(...names) {
      const value = config.integer(...names);
      if (value === undefined) throw missing(names);
      return value;
    },
    requireNumber(...names) {
      const value = config.number(...names);
      if (value === undefined) throw missing(names);
      return value;
    },
  };
  return config;
}

function isInteger(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= mostInteger;
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
