import { HearthError } from "../error.ts";
import type { Output } from "../terminal/io.ts";
import { plain, style } from "../terminal/style.ts";
import { defineCommand, pullSettingNames, serverSettingNames, type Command } from "./command.ts";
import { parseText } from "../config/values.ts";
import { checks, type Finding } from "./doctor/checks.ts";
import { runRoofline } from "./doctor/roofline.ts";

export const doctor: Command = defineCommand({
  name: "doctor",
  text: "Looks for what is wrong with hearth on this machine, and says how to mend it. Exit code 1 when something is.",
  arguments: [],
  flags: {
    roofline: { kind: "switch", text: "measure instead how fast this machine reads memory and multiplies integers" },
    model: { kind: "value", value: "MODEL", text: "with --roofline: what that bounds for a model", parse: parseText },
  },
  settings: [...serverSettingNames, ...pullSettingNames, "apiKeyFile", "threads"],
  examples: ["hearth doctor", "hearth doctor --roofline --model tinyllama"],
  async run(context) {
    if (context.flags.roofline) {
      await runRoofline(context, context.flags.model);
      return 0;
    }
    const findings: Finding[] = [];
    for (const { name, check } of checks) {
      context.signal.throwIfAborted();
      // A check that breaks is itself a finding; the others still count.
      const found = await check(context).catch((error: unknown): Finding[] => [broken(name, error)]);
      findings.push(...found);
      if (!context.json) context.io.stdout.write(found.map((finding) => toText(context.io.stdout, finding)).join(""));
    }
    if (context.json) context.writeJson({ findings });
    return findings.some((finding) => finding.status === "wrong") ? 1 : 0;
  },
});

function broken(name: string, error: unknown): Finding {
  const hint = error instanceof HearthError ? error.hint : "";
  return { name, status: "wrong", text: error instanceof Error ? error.message : String(error), hint };
}

function toText(stream: Output, { name, status, text, hint }: Finding): string {
  const mark = {
    ok: style(stream, "green", "ok   "),
    note: style(stream, "yellow", "note "),
    wrong: style(stream, "red", "WRONG"),
  }[status];
  const advice = hint === undefined || hint === "" ? "" : `                  ${plain(hint)}\n`;
  return `${mark} ${name.padEnd(11)} ${plain(text)}\n${advice}`;
}
