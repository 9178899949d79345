/** Watches a JSON text grow and says when its outermost value is complete. Numbers at the top never are: they may go on. */
export interface JsonWatch {
  /** Takes the next piece; returns how much of it belongs to the value once that is complete, else undefined. */
  push(piece: string): number | undefined;
}

export function createJsonWatch(): JsonWatch {
  let depth = 0;
  let inString = false;
  let escaped = false;
  return {
    push(piece) {
      for (let index = 0; index < piece.length; index++) {
        const character = piece[index] ?? "";
        if (inString) {
          if (escaped) escaped = false;
          else if (character === "\\") escaped = true;
          else if (character === '"') inString = false;
          if (inString) continue;
        } else if (character === '"') {
          inString = true;
          continue;
        } else if (character === "{" || character === "[") {
          depth++;
          continue;
        } else if (character === "}" || character === "]") depth--;
        else continue;
        if (depth === 0) return index + 1;
      }
      return undefined;
    },
  };
}
