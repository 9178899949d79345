/** Where the process begins. Only what every start needs is imported here; `--version` needs next to nothing. */
import { readFileSync } from "node:fs";
import { enableCompileCache } from "node:module";

const [first, second] = process.argv.slice(2);
if ((first === "--version" || first === "-v") && second === undefined) {
  process.stdout.write(`hearth ${packageVersion()}\n`);
} else {
  enableCompileCache();
  await start();
}

function packageVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}

async function start(): Promise<void> {
  const { main } = await import("./commands/main.ts");
  const { watchInterrupts } = await import("./terminal/interrupt.ts");
  const { stdin, stdout, stderr } = process;
  const interrupts = watchInterrupts(process);
  // The reader of our output has left (`hearth list | head`): there is nobody to tell.
  for (const stream of [stdout, stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
      throw error;
    });
  }
  const code = await main(process.argv.slice(2), { stdin, stdout, stderr }, { signal: interrupts.signal });
  await Promise.all([stdout, stderr].map((stream) => new Promise((resolve) => stream.write("", resolve))));
  process.exit(interrupts.exitCode(code));
}
