/** The last lines a child process wrote. Bounded: a chatty or broken child cannot fill the memory of the parent. */
export interface LogTail {
  push(chunk: string): void;
  /** The newest lines, oldest first. */
  lines(): readonly string[];
}

const maxLines = 40;
const maxLineLength = 500;

export function createLogTail(): LogTail {
  let kept: string[] = [];
  let open = "";
  return {
    push(chunk) {
      const lines = (open + chunk).split("\n");
      open = (lines.pop() ?? "").slice(0, maxLineLength);
      kept = [...kept, ...lines.filter((line) => line.trim() !== "").map((line) => line.slice(0, maxLineLength))];
      kept = kept.slice(-maxLines);
    },
    lines: () => (open.trim() === "" ? kept : [...kept, open]),
  };
}
