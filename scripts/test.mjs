// `npm test`: checks, then every test project. The last line is the tally, for people and for scripts.
// `npm test -- WORDS` hands the words to vitest and leaves the checks out.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { reportChecks, runChecks } from "./check.mjs";
import { ensureInstalled, findNode, passThrough, root } from "./setup.mjs";

const words = process.argv.slice(2);
const tally = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const reports = mkdtempSync(join(tmpdir(), "hearth-report-"));

try {
  await ensureInstalled();
  if (words.length === 0) await countChecks();
  for (const projects of [["fast", "alone"], ["native"], ["pair"], ["gpu"]]) await runProjects(projects);
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
} finally {
  rmSync(reports, { recursive: true, force: true });
}
for (const line of failures) console.log(`failed: ${line}`);
const skipped = tally.skipped === 0 ? "" : `, ${tally.skipped} skipped`;
console.log(`${tally.passed} passed, ${tally.failed} failed${skipped}`);
process.exitCode = tally.failed === 0 ? 0 : 1;

function fail(line) {
  tally.failed++;
  failures.push(line);
}

async function countChecks() {
  const results = await runChecks();
  reportChecks(results);
  tally.passed += results.filter(({ ok }) => ok).length;
  for (const { name } of results.filter(({ ok }) => !ok)) fail(`check: ${name}`);
}

async function runProjects(projects) {
  const [project] = projects;
  console.log(`\n${project} tests`);
  const report = join(reports, `${project}.json`);
  const vitest = [
    join(root, "node_modules", "vitest", "vitest.mjs"),
    "run",
    ...projects.flatMap((name) => ["--project", name]),
    "--passWithNoTests",
    "--reporter=default",
    `--reporter=${join(root, "scripts", "skips.mjs")}`,
    "--reporter=json",
    `--outputFile.json=${report}`,
  ];
  const code = await passThrough(findNode(), [...vitest, ...words], { cwd: root });
  const failedBefore = tally.failed;
  count(project, readReport(report));
  // vitest also fails for what belongs to no test, such as an error nobody caught.
  if (code !== 0 && tally.failed === failedBefore) fail(`${project} tests: vitest ended with exit code ${code}`);
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

function count(project, report) {
  if (!report) {
    fail(`${project} tests: vitest wrote no report`);
    return;
  }
  for (const file of report.testResults) {
    const name = basename(file.name);
    const outcomes = file.assertionResults.map(({ status, fullName }) => {
      if (status === "failed") fail(`${name}: ${fullName}`);
      else if (status === "passed") tally.passed++;
      else tally.skipped++;
      return status;
    });
    // A file that could not be read, or whose set-up failed, has no failed test of its own.
    if (file.status === "failed" && !outcomes.includes("failed")) fail(`${name}: ${file.message}`);
  }
}
