/** Finds where a JSON value ends in a text that arrives in pieces, and reads tool calls from it. */

/** Keys that a call may begin with; any other first key means that the JSON is an ordinary answer. */
const callKeys: readonly string[] = [
  "name",
  "type",
  "id",
  "function",
  "arguments",
  "parameters",
  "args",
  "tool_call",
  "tool_calls",
];

export interface JsonScanner {
  /** Goes on from where it was; `at` is the place in `text` that was not seen yet. */
  scan(text: string, at: number): { readonly state: "more" | "done" | "fail"; readonly at: number };
}

/**
 * A scanner for one object or array that looks like calls; with `any`, for any object. It only counts brackets;
 * `JSON.parse` judges later.
 */
export function createJsonScanner(any = false): JsonScanner {
  let depth = 0;
  let inText = false;
  let escaped = false;
  let key = "";
  let keyState: "object" | "quote" | "letters" | "known" = "object";

  /** Checks the beginning, up to the end of the first key; false: this is not a call. */
  const begin = (char: string): boolean => {
    if (keyState === "object") {
      if (char === "{") keyState = any ? "known" : "quote";
      else if (!isSpace(char) && !(char === "[" && depth === 0)) return false;
    } else if (keyState === "quote") {
      if (char === '"') keyState = "letters";
      else if (!isSpace(char)) return false;
    } else if (char === '"') {
      keyState = "known";
      return callKeys.includes(key);
    } else {
      key += char;
      return callKeys.some((name) => name.startsWith(key));
    }
    return true;
  };

  return {
    scan(text, from) {
      for (let at = from; at < text.length; at++) {
        const char = text[at] ?? "";
        if (keyState !== "known" && !begin(char)) return { state: "fail", at };
        if (inText) {
          if (escaped) escaped = false;
          else if (char === "\\") escaped = true;
          else if (char === '"') inText = false;
        } else if (char === '"') inText = true;
        else if (char === "{" || char === "[") depth++;
        else if (char === "}" || char === "]") {
          depth--;
          if (depth === 0) return { state: "done", at: at + 1 };
        }
      }
      return { state: "more", at: text.length };
    },
  };
}

/** A call as the model wrote it. */
export interface RawCall {
  readonly name: string;
  /** JSON text of an object. */
  readonly arguments: string;
}

/** The calls in a JSON text, or undefined when it is something else. */
export function readCalls(text: string): RawCall[] | undefined {
  const value = parseExact(text);
  const list = Array.isArray(value) ? value : isRecord(value) ? (value["tool_calls"] ?? [value]) : [];
  if (!Array.isArray(list) || list.length === 0) return undefined;
  const calls: RawCall[] = [];
  for (const item of list) {
    const call = readCall(item);
    if (!call) return undefined;
    calls.push(call);
  }
  return calls;
}

function readCall(item: unknown): RawCall | undefined {
  if (!isRecord(item)) return undefined;
  const inner = [item["function"], item["tool_call"]].find(isRecord) ?? item;
  const name = inner["name"] ?? item["function"];
  if (typeof name !== "string") return undefined;
  const args = toArguments(inner["arguments"] ?? inner["parameters"] ?? inner["args"] ?? {});
  return args === undefined ? undefined : { name, arguments: args };
}

/** JSON text of the arguments object; the object itself or a text that holds one. */
export function toArguments(value: unknown): string | undefined {
  const object = typeof value === "string" ? parseExact(value.trim() === "" ? "{}" : value) : value;
  if (!isRecord(object)) return undefined;
  const text = JSON.stringify(object);
  // A large number was kept as raw JSON and looks like an object.
  return text.startsWith("{") ? text : undefined;
}

interface RawJson {
  rawJSON(text: string): unknown;
}

/** Parses JSON so that `JSON.stringify` gives numbers back as they were: ids of 19 digits must not be rounded. */
export function parseExact(text: string): unknown {
  const keep = (_key: string, value: unknown, context?: { readonly source?: string }): unknown => {
    const source = context?.source;
    if (typeof value !== "number" || source === undefined || String(value) === source) return value;
    return (JSON as unknown as RawJson).rawJSON(source);
  };
  try {
    return JSON.parse(text, keep) as unknown;
  } catch {
    // Models write broken JSON; the caller gives the text back as text.
    return undefined;
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isSpace(char: string): boolean {
  return char === " " || char === "\n" || char === "\r" || char === "\t";
}
