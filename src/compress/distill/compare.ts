/** Whether two models cut texts into the same tokens. */
import { HearthError } from "../../error.ts";
import type { GgufFile, GgufValue } from "../../formats/gguf/types.ts";
import { isGgufArray } from "../../formats/gguf/types.ts";

const settings = [
  "tokenizer.ggml.model",
  "tokenizer.ggml.pre",
  "tokenizer.ggml.add_bos_token",
  "tokenizer.ggml.bos_token_id",
  "tokenizer.ggml.add_space_prefix",
  "tokenizer.huggingface.json",
] as const;
const lists = ["tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.scores"] as const;

/** Throws `bad_request` that names the first difference. */
export function checkSameTokens(teacher: GgufFile, student: GgufFile): void {
  for (const key of lists) {
    const difference = differenceOf(teacher.metadata.get(key), student.metadata.get(key));
    if (difference !== undefined) throw otherTokens(teacher, student, `${key} ${difference}`);
  }
  for (const key of settings) {
    const [one, other] = [teacher.metadata.get(key), student.metadata.get(key)];
    if (one === other) continue;
    throw otherTokens(teacher, student, `${key} is ${shown(one)} there, ${shown(other)} here`);
  }
}

function otherTokens(teacher: GgufFile, student: GgufFile, difference: string): HearthError {
  return new HearthError("bad_request", `${student.name} has another tokenizer than ${teacher.name}: ${difference}.`, {
    hint: "Take a teacher with the same vocabulary, as a rule the model that the student was made from.",
  });
}

function shown(value: GgufValue | undefined): string {
  if (value === undefined) return "missing";
  const text = isGgufArray(value) ? `a list of ${value.length}` : String(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function differenceOf(one: GgufValue | undefined, other: GgufValue | undefined): string | undefined {
  if (one === undefined && other === undefined) return undefined;
  if (!isGgufArray(one) || !isGgufArray(other)) return `is ${shown(one)} there, ${shown(other)} here`;
  if (one.length !== other.length) return `has ${one.length} elements there, ${other.length} here`;
  const [read, readOther] = [elementsOf(one), elementsOf(other)];
  for (let index = 0; index < one.length; index++) {
    if (read(index) !== readOther(index)) return `differs at ${index}`;
  }
  return undefined;
}

function elementsOf(array: Extract<GgufValue, { length: number; type: unknown }>): (index: number) => unknown {
  if (array.type === "string") return (index) => array.strings?.at(index);
  return (index) => array.numbers?.[index];
}
