/** A machine made of texts, for tests: files by path, tools by name. */
import type { Looker } from "../src/hardware/read.ts";

export interface FakeMachine {
  readonly files?: Readonly<Record<string, string>>;
  readonly tools?: Readonly<Record<string, string>>;
}

export function createFakeMachine({
  files = {},
  tools = {},
}: FakeMachine): Looker & { readonly ran: readonly string[] } {
  const ran: string[] = [];
  return {
    ran,
    read: (path) => files[path],
    entries(path) {
      const below = Object.keys(files).filter((file) => file.startsWith(`${path}/`));
      return [...new Set(below.map((file) => file.slice(path.length + 1).split("/")[0] ?? ""))].sort();
    },
    async run(command, args) {
      ran.push([command, ...args].join(" "));
      return tools[command];
    },
  };
}
