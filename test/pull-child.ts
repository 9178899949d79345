// A process that pulls one model and dies by SIGKILL at the n-th operation that changes the disk. Run by
// `src/models/kill.native.test.ts` with a JSON object as its argument.
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

export interface PullChild {
  readonly dataFolder: string;
  readonly hub: string;
  readonly reference: string;
  readonly chunkBytes: number;
  readonly connections: number;
  /** Operation to die at; even: before it, odd: after it. 0: never. */
  readonly killAt: number;
}

const input = JSON.parse(process.argv[2] ?? "{}") as PullChild;
let operations = 0;

type Work = (...values: unknown[]) => Promise<unknown>;

/** Counts the calls of a method, and dies when it is the one. */
function count(target: object, name: string): void {
  const methods = target as Record<string, Work>;
  const original = methods[name];
  if (!original) throw new Error(`no ${name}`);
  methods[name] = async function counted(this: unknown, ...values: unknown[]): Promise<unknown> {
    const mine = ++operations === input.killAt;
    if (mine && input.killAt % 2 === 0) process.kill(process.pid, "SIGKILL");
    const result = await original.apply(this, values);
    if (mine) process.kill(process.pid, "SIGKILL");
    return result;
  };
}

const handle = await fs.open(process.execPath);
const prototype: unknown = Object.getPrototypeOf(handle);
await handle.close();
for (const name of ["write", "writeFile", "appendFile", "truncate", "sync", "datasync"])
  count(prototype as object, name);
for (const name of ["open", "rename", "chmod", "rm", "mkdir"]) count(fs, name);
syncBuiltinESMExports();

const { createLibrary } = await import("../src/models/library.ts");
const library = createLibrary({
  dataFolder: input.dataFolder,
  foreign: undefined,
  chunkBytes: input.chunkBytes,
  settings: {
    hub: input.hub,
    hubToken: undefined,
    hubTimeout: 5000,
    connections: input.connections,
    offline: false,
    ollamaRegistry: input.hub,
  },
});
const model = await library.pull(input.reference);
process.stdout.write(JSON.stringify({ operations, name: model.name }));
