import type { VerifyResult } from "../models/contract.ts";
import { formatTable } from "../terminal/table.ts";
import { defineCommand, type Command } from "./command.ts";

export const verify: Command = defineCommand({
  name: "verify",
  text: "Hashes the files of the models again and compares. Exit code 1 when a byte has changed.",
  arguments: [{ name: "MODEL", text: "an installed model; none: all of them" }],
  async run({ args, hearth, io, json, signal, status, writeJson }) {
    const { library } = await hearth();
    const results = await library.verify(args[0], { signal, onProgress: status.update });
    status.clear();
    const broken = results.filter((result) => result.status === "changed" || result.status === "missing");
    if (json) {
      writeJson({ results });
    } else {
      io.stdout.write(formatTable(io.stdout, columns, results));
      for (const name of new Set(broken.map((result) => result.model))) {
        status.note(`${name} is damaged. \`hearth rm ${name}\` and \`hearth pull ${name}\` fetch it anew.`);
      }
    }
    return broken.length === 0 ? 0 : 1;
  },
});

const columns = [
  { title: "MODEL", value: (result: VerifyResult) => result.model },
  { title: "FILE", value: (result: VerifyResult) => result.file },
  { title: "STATUS", value: (result: VerifyResult) => result.status },
  { title: "NOTE", value: (result: VerifyResult) => result.message ?? "" },
] as const;
