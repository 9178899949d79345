import { failKey, integerOf, integersOf } from "../../../formats/gguf/check.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { WindowOptions } from "./read.ts";

export interface Window {
  /** Tokens. */
  readonly size: number;
  readonly isLocal: (layer: number) => boolean;
}

const any = [0, 2 ** 31] as const;

/** The sliding window of `<architecture>.attention.*`, and which layers have it. Undefined: none has. */
export function readWindow(file: GgufFile, architecture: string, options: WindowOptions): Window | undefined {
  const key = `${architecture}.attention.sliding_window`;
  const size = integerOf(file, key, any) ?? options.size ?? (options.optional ? 0 : failKey(file, key, "is missing"));
  if (size > 0) return { size, isLocal: readPattern(file, `${key}_pattern`, options) };
  return options.optional ? undefined : failKey(file, key, "is 0; a token must see itself");
}

/** A period, or for each layer whether it has the window. */
function readPattern(file: GgufFile, key: string, { period, globalFirst }: WindowOptions): Window["isLocal"] {
  const pattern = integersOf(file, key, any) ?? period;
  if (typeof pattern !== "number") return (layer) => (pattern[layer] ?? 0) !== 0;
  // A period of 0 says that all layers have it.
  if (pattern === 0) return () => true;
  return (layer) => layer % pattern !== (globalFirst ? 0 : pattern - 1);
}
