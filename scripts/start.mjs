// `npm start -- ARGUMENTS`: the hearth command line, from source, on a current Node.
import { join } from "node:path";
import { ensureInstalled, findNode, passThrough, root } from "./setup.mjs";

try {
  await ensureInstalled();
  process.exitCode = await passThrough(findNode(), [join(root, "src", "cli.ts"), ...process.argv.slice(2)]);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
