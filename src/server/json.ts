/** JSON with limits: where it is wrong, how deep it goes. */

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
const scalar = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

type Expected = "value" | "value-or-end" | "key" | "key-or-end" | "colon" | "comma-or-end";

/** Offset of the first character at which a text stops being JSON; its length when it only ends too early. */
export function jsonErrorPosition(text: string): number {
  const closers: string[] = [];
  let expected: Expected = "value";
  let position = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = position;
    const match = pattern.exec(text)?.[0];
    position += match?.length ?? 0;
    return match;
  };
  for (;;) {
    take(space);
    const character = text[position];
    if (expected === "comma-or-end" && closers.length === 0) return position;
    if (character === undefined) return position;
    const isEnd = character === closers.at(-1) && (expected.endsWith("-or-end"));
    if (isEnd) {
      closers.pop();
      position++;
      expected = "comma-or-end";
    } else if (expected === "comma-or-end") {
      if (character !== ",") return position;
      position++;
      expected = closers.at(-1) === "}" ? "key" : "value";
    } else if (expected === "colon") {
      if (character !== ":") return position;
      position++;
      expected = "value";
    } else if (expected === "key" || expected === "key-or-end") {
      if (character !== '"' || take(scalar) === undefined) return position;
      expected = "colon";
    } else if (character === "{" || character === "[") {
      closers.push(character === "{" ? "}" : "]");
      position++;
      expected = character === "{" ? "key-or-end" : "value-or-end";
    } else {
      if (take(scalar) === undefined) return position;
      expected = "comma-or-end";
    }
  }
}
