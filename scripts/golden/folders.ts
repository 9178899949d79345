/**
 * Makes a checkpoint's folder of each golden model, for `read_back.py`:
 *
 *     node scripts/golden/folders.ts FOLDER
 *     VENV/bin/python scripts/golden/read_back.py FOLDER
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convert } from "../../src/compress/convert/convert.ts";
import { fixtureBytes, listFixtures } from "../../src/engines/flint/__fixtures__/fixtures.ts";

const [target = ""] = process.argv.slice(2);
mkdirSync(target, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), "hearth-folders-"));
for (const fixture of listFixtures()) {
  const source = join(folder, `${fixture.name}.gguf`);
  writeFileSync(source, fixtureBytes(fixture));
  await convert({ source, out: join(target, fixture.name) });
}
rmSync(folder, { recursive: true });
