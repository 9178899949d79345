// `npm run check`: format, lint, types, unused code. `--fix` mends what a tool can mend.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureInstalled, findNode, root } from "./setup.mjs";

const tools = join(root, "tools");
const bin = join(tools, "node_modules", ".bin");

const checks = (fix) => [
  { name: "format", command: ["oxfmt", fix ? "--write" : "--check", "."] },
  { name: "lint", command: ["oxlint", "--type-aware", ...(fix ? ["--fix"] : ["--deny-warnings"]), "."] },
  { name: "types", command: ["tsc", "--noEmit"] },
  { name: "unused code", command: ["knip", "--no-progress"] },
];

/** Runs all checks. Returns the name, the outcome and the output of each. */
export async function runChecks({ fix = false } = {}) {
  await ensureInstalled();
  await ensureInstalled(tools);
  // oxlint looks for its type-aware half on the PATH; knip wants a current Node.
  const nodeFolder = join(findNode(), "..");
  const env = { ...process.env, PATH: [bin, nodeFolder, process.env.PATH].join(delimiter) };
  return checks(fix).map(({ name, command: [tool, ...args] }) => {
    const path = join(bin, process.platform === "win32" ? `${tool}.cmd` : tool);
    if (!existsSync(path)) return { name, ok: false, output: `${path} is missing.\n` };
    const result = spawnSync(path, args, {
      cwd: root,
      env,
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
      shell: process.platform === "win32",
    });
    return { name, ok: result.status === 0, output: `${result.stdout}${result.stderr}${result.error ?? ""}` };
  });
}

/** Prints the outcome of each check, and the output of the failed ones. Returns how many failed. */
export function reportChecks(results) {
  for (const { name, ok, output } of results) {
    console.log(`${ok ? "ok    " : "FAILED"} ${name}`);
    if (!ok) console.log(output);
  }
  return results.filter(({ ok }) => !ok).length;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const failed = reportChecks(await runChecks({ fix: process.argv.includes("--fix") }));
  process.exitCode = failed === 0 ? 0 : 1;
}
