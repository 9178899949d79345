// Fetches a model with a line of progress; Ctrl-C stops, the next run resumes. Run: node examples/pull.ts [model]
import { list, pull } from "../src/index.ts";

const model = process.argv[2] ?? "tinyllama";
const controller = new AbortController();
process.once("SIGINT", () => controller.abort());

const installed = await pull(model, {
  signal: controller.signal,
  onProgress({ phase, label, completedBytes, totalBytes }) {
    const share = totalBytes ? ` ${((100 * completedBytes) / totalBytes).toFixed(0)} %` : "";
    process.stderr.write(`\r\u001b[K${phase} ${label}${share}`);
  },
});
process.stderr.write("\n");

console.log(`${installed.name}: ${(installed.sizeBytes / 1e6).toFixed(0)} MB`);
console.log(`Models here: ${(await list()).map(({ name }) => name).join(", ")}`);
