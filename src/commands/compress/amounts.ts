/** How much is taken out of a model, as people write it. */
import type { Amount, Zeros } from "../../compress/prune/contract.ts";
import { HearthError } from "../../error.ts";

/** `8` or `25%`. Throws `usage`. */
export function parseAmount(text: string, name: string): Amount {
  const [, number = "", percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text.trim()) ?? [];
  if (percent === "%") return { part: Number(number) / 100 };
  if (number !== "" && Number.isInteger(Number(number))) return { count: Number(number) };
  throw new HearthError("usage", `${name} is "${text}"; it must be a number, or a part such as 25%.`);
}

/** `20-25,28`. Throws `usage`. */
export function parseLayers(text: string, name: string): readonly number[] {
  return text.split(",").flatMap((part) => {
    const [, first, last = first] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? [];
    const count = Number(last) - Number(first) + 1;
    if (count >= 1) return Array.from({ length: count }, (_, index) => Number(first) + index);
    throw new HearthError("usage", `${name} is "${text}"; it must be layers such as 20-25,28.`);
  });
}

/** `0.5` or `50%`. Throws `usage`. */
export function parseSparsity(text: string, name: string): Zeros {
  const [, number, percent] = /^(\d*\.?\d+)(%?)$/.exec(text.trim()) ?? [];
  const part = Number(number) / (percent === "%" ? 100 : 1);
  if (part > 0 && part < 1) return { part };
  throw new HearthError("usage", `${name} is "${text}"; it must be between 0 and 1, as 0.5 or 50%.`);
}

/** `2:4`. Throws `usage`. */
export function parsePattern(text: string, name: string): Zeros {
  const [, keep, of] = /^(\d{1,3}):(\d{1,3})$/.exec(text.trim()) ?? [];
  if (Number(keep) >= 1 && Number(keep) < Number(of)) return { keep: Number(keep), of: Number(of) };
  throw new HearthError("usage", `${name} is "${text}"; it must be N:M with N below M, as 2:4.`);
}
