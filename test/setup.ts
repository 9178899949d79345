// Runs before each test file: no test may touch the data of the person who runs it.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

process.env["HEARTH_DATA"] ??= mkdtempSync(join(tmpdir(), "hearth-test-"));
process.env["HEARTH_HUB"] ??= "http://127.0.0.1:9"; // discard port: no test may reach the real hub
