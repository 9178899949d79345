// `npm run build`: src/ → dist/, the JavaScript of the published package.
import { spawnSync } from "node:child_process";
import { cpSync, readdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { ensureInstalled, findNode, root } from "./setup.mjs";

const source = join(root, "src");
const target = join(root, "dist");

await ensureInstalled();
await ensureInstalled(join(root, "tools"));
rmSync(target, { recursive: true, force: true });
run(join(root, "tools", "node_modules", ".bin", "tsc"), ["-p", "tsconfig.build.json"]);
for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (entry.isFile() && !/\.tsx?$/.test(entry.name) && !path.includes("__")) {
    cpSync(path, join(target, relative(source, path)));
  }
}
const { stdout } = run(findNode(), [join(target, "cli.js"), "--version"]);
console.log(`built dist/: ${stdout.trim()}`);

function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, encoding: "utf8", shell: process.platform === "win32" });
  if (result.status !== 0) {
    console.error(`${result.stdout ?? ""}${result.stderr ?? ""}${result.error ?? ""}`);
    console.error(`${command} ${args.join(" ")} failed.`);
    process.exit(1);
  }
  return result;
}
