/** JSON as bytes and text: how deep it goes, where it is wrong. */

/** Deepest nesting of arrays and objects in the bytes of a JSON text. Linear, without recursion. */
export function jsonDepth(bytes: Buffer): number {
  let depth = 0;
  let deepest = 0;
  for (let position = 0; position < bytes.length; position++) {
    const byte = bytes[position];
    if (byte === 0x22) position = skipString(bytes, position);
    else if (byte === 0x5b || byte === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return deepest;
}

/** Position of the closing quote, or the end of the text. */
function skipString(bytes: Buffer, start: number): number {
  for (let end = bytes.indexOf(0x22, start + 1); end >= 0; end = bytes.indexOf(0x22, end + 1)) {
    let backslashes = 0;
    while (bytes[end - 1 - backslashes] === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return bytes.length;
}

const space = /[ \t\r\n]*/y;
const literal = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const escape = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

type Expected = "value" | "value-or-end" | "key" | "key-or-end" | "colon" | "comma-or-end";

/** Offset of the first character at which a text stops being JSON; its length when it only ends too early. */
export function jsonErrorPosition(text: string): number {
  const closers: string[] = [];
  let expected: Expected = "value";
  let position = 0;
  for (;;) {
    position = endOf(space, text, position) ?? position;
    const character = text[position];
    if (character === undefined || (expected === "comma-or-end" && closers.length === 0)) return position;
    if (expected.endsWith("-or-end") && character === closers.at(-1)) {
      closers.pop();
      expected = "comma-or-end";
      position++;
      continue;
    }
    const step = advance(text, position, expected);
    if (step === undefined) return position;
    if (step.opens !== undefined) closers.push(step.opens);
    expected = step.next === "item" ? (closers.at(-1) === "}" ? "key" : "value") : step.next;
    position = step.end;
  }
}

interface Step {
  readonly end: number;
  readonly next: Expected | "item";
  /** What closes the array or object that begins here. */
  readonly opens?: string;
}

function advance(text: string, position: number, expected: Expected): Step | undefined {
  const character = text[position];
  switch (expected) {
    case "comma-or-end":
      return character === "," ? { end: position + 1, next: "item" } : undefined;
    case "colon":
      return character === ":" ? { end: position + 1, next: "value" } : undefined;
    case "key":
    case "key-or-end":
      return scalarStep(character === '"' ? endOfString(text, position) : undefined, "colon");
    default:
      if (character === "{") return { end: position + 1, next: "key-or-end", opens: "}" };
      if (character === "[") return { end: position + 1, next: "value-or-end", opens: "]" };
      if (character === '"') return scalarStep(endOfString(text, position), "comma-or-end");
      return scalarStep(endOf(literal, text, position), "comma-or-end");
  }
}

function scalarStep(end: number | undefined, next: Expected): Step | undefined {
  return end === undefined ? undefined : { end, next };
}

function endOf(pattern: RegExp, text: string, position: number): number | undefined {
  pattern.lastIndex = position;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

/** After the closing quote. Not a pattern: those keep a stack that a long string would overflow. */
function endOfString(text: string, start: number): number | undefined {
  let position = start + 1;
  for (;;) {
    const code = text.charCodeAt(position);
    if (Number.isNaN(code) || code < 0x20) return undefined;
    if (code === 0x22) return position + 1;
    const next = code === 0x5c ? endOf(escape, text, position) : position + 1;
    if (next === undefined) return undefined;
    position = next;
  }
}
