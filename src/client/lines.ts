import { HearthError } from "../error.ts";

/** No line of ours comes near this; a server that is not ours must not fill the memory. */
const longestLine = 64 * 1024 * 1024;

/**
 * Bytes → lines, however the bytes are cut: inside a character, or between CR and LF. The last line needs no end.
 * Leaving early cancels the body. Throws `bad_request` for a line of more than 64 Mi characters.
 */
export async function* readLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const splitter = createSplitter();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      yield* splitter.push(done ? decoder.decode() : decoder.decode(value, { stream: true }));
      if (done) break;
    }
    const rest = splitter.rest();
    if (rest !== "") yield rest;
  } finally {
    // After the end this does nothing; before it, the server learns that nobody reads on.
    await reader.cancel().catch(() => undefined);
  }
}

interface Splitter {
  push(text: string): readonly string[];
  rest(): string;
}

function createSplitter(): Splitter {
  let held: string[] = [];
  let length = 0;
  let afterReturn = false;
  return {
    push(text) {
      if (text === "") return [];
      // CR LF is one end of line, also when it comes in two chunks.
      const pieces = (afterReturn && text.startsWith("\n") ? text.slice(1) : text).split(/\r\n|\r|\n/);
      afterReturn = text.endsWith("\r");
      const last = pieces.pop() ?? "";
      const lines = pieces.map((piece, index) => (index === 0 ? held.join("") + piece : piece));
      if (lines.length > 0) {
        held = [];
        length = 0;
      }
      held.push(last);
      length += last.length;
      if (length > longestLine) throw new HearthError("bad_request", "The server sent a line without an end.");
      return lines;
    },
    rest: () => held.join(""),
  };
}
