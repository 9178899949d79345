// One conversion in a process that a test kills.
import { convert } from "../src/compress/convert/convert.ts";

const [source = "", out = ""] = process.argv.slice(2);
process.stdout.write("ready\n");
await convert({ source, out });
