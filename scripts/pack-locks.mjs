// Writes packs/*/package-lock.json anew from packs/*/package.json, and adds the platforms that a registry mirror does
// not list: with a pinned version and no integrity, fetched by npm only where the name says. Run after a change:
//   node scripts/pack-locks.mjs [NAME ...]
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const packs = fileURLToPath(new URL("../packs", import.meta.url));
const systems = { mac: "darwin", win: "win32", linux: "linux", darwin: "darwin", win32: "win32" };
const processors = ["arm64", "x64"];

const asked = process.argv.slice(2);

for (const name of asked.length > 0 ? asked : readdirSync(packs)) {
  if (name === "none") continue;
  const folder = mkdtempSync(join(tmpdir(), "hearth-pack-"));
  cpSync(join(packs, name, "package.json"), join(folder, "package.json"));
  cpSync(join(packs, "none"), join(folder, "none"), { recursive: true });
  const flags = [
    "--package-lock-only",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--omit-lockfile-registry-resolved",
  ];
  execFileSync("npm", ["install", ...flags], { cwd: folder, stdio: "inherit" });
  const lock = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));
  const added = complete(lock.packages);
  narrow(lock.packages);
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(join(packs, name, "package-lock.json"), `${JSON.stringify(lock, null, 2)}\n`);
  rmSync(folder, { recursive: true });
  console.log(`${name}: ${Object.keys(lock.packages).length} packages, ${added} of them without integrity`);
}

function complete(packages) {
  let added = 0;
  for (const entry of Object.values(packages)) {
    for (const [dependency, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const key = `node_modules/${dependency}`;
      const words = dependency.split(/[/-]/);
      const os = Object.entries(systems).find(([word]) => words.includes(word))?.[1];
      const cpu = processors.find((word) => words.includes(word));
      if (packages[key] || !os || !/^\d/.test(version)) continue;
      packages[key] = { version, ...(cpu && { cpu: [cpu] }), optional: true, os: [os] };
      added++;
    }
  }
  return added;
}

/** The ARM and RISC-V binaries claim to run on x64 too (for cross compilers): nobody needs to download them there. */
function narrow(packages) {
  const cpus = { "linux-arm64": "arm64", "linux-armv7l": "arm", "linux-riscv64": "riscv64" };
  for (const [name, cpu] of Object.entries(cpus)) {
    const entry = packages[`node_modules/@node-llama-cpp/${name}`];
    if (entry) entry.cpu = [cpu];
  }
}
