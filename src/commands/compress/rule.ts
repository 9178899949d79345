import type { TensorRule } from "../../compress/quantize/choose.ts";
import { quantizedTypes } from "../../engines/flint/weights/quantize/recipe.ts";
import { HearthError } from "../../error.ts";

const types = ["F32", "F16", "BF16", ...quantizedTypes] as const;

/** `ffn_down=q6_k`: a regular expression and a type. Throws `usage`. */
export function parseTensorRule(text: string, name: string): TensorRule {
  const at = text.lastIndexOf("=");
  const wanted = text.slice(at + 1).toUpperCase();
  const type = types.find((one) => one === wanted);
  const hint = `Write PATTERN=TYPE; types are ${types.map((one) => one.toLowerCase()).join(", ")}.`;
  if (at < 1) throw new HearthError("usage", `${name} is "${text}", which has no pattern and type.`, { hint });
  if (!type) throw new HearthError("usage", `${name}: there is no type "${text.slice(at + 1)}".`, { hint });
  try {
    return { pattern: new RegExp(text.slice(0, at)), type };
  } catch (error) {
    throw new HearthError("usage", `${name}: "${text.slice(0, at)}" is no regular expression.`, { hint, cause: error });
  }
}
