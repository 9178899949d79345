import { HearthError } from "../error.ts";
import { formatTable } from "../terminal/table.ts";
import { didYouMean } from "../util/distance.ts";
import { formatBytes } from "../util/format.ts";
import { defineCommand, type Command, type Context } from "./command.ts";
import type { PackRow, Packs } from "./services.ts";

const verbs = ["list", "add", "remove", "update"] as const;
type Verb = (typeof verbs)[number];

export const engines: Command = defineCommand({
  name: "engines",
  text: "Lists, adds, removes and updates engine packs: pinned npm installs in the data folder.",
  arguments: [
    { name: "list|add|remove|update", text: "what to do; list when nothing is said" },
    { name: "PACK", text: "a pack of the list; update alone takes all installed ones", rest: true },
  ],
  settings: ["offline"],
  examples: ["hearth engines", "hearth engines add llama-cuda", "hearth engines update"],
  async run(context) {
    const [word = "list", ...names] = context.args;
    const verb = parseVerb(word);
    const packs = await context.services.packs(context.settings);
    if (verb === "list") return await listPacks(context, packs);
    const chosen = await choosePacks(packs, verb, names);
    const done: string[] = [];
    for (const name of chosen) {
      await changePack(context, packs, { verb, name });
      done.push(name);
    }
    if (context.json) context.writeJson({ [verb]: done });
  },
});

function parseVerb(word: string): Verb {
  const verb = verbs.find((candidate) => candidate === word);
  if (verb) return verb;
  throw new HearthError("usage", `hearth engines cannot "${word}".${didYouMean(word, verbs)}`, {
    hint: "It knows list, add, remove and update.",
  });
}

async function listPacks({ io, json, writeJson }: Context, packs: Packs): Promise<void> {
  const rows = await packs.list();
  if (json) writeJson({ packs: rows });
  else io.stdout.write(formatTable(io.stdout, columns, rows));
}

async function choosePacks(packs: Packs, verb: Verb, names: readonly string[]): Promise<readonly string[]> {
  const rows = await packs.list();
  if (names.length === 0 && verb === "update") {
    return rows.filter((row) => row.installed !== undefined).map((row) => row.name);
  }
  if (names.length === 0) {
    throw new HearthError("usage", `hearth engines ${verb} needs the name of a pack.`, {
      hint: `The packs are ${rows.map((row) => row.name).join(", ")}.`,
    });
  }
  const known = rows.map((row) => row.name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return names;
  throw new HearthError("usage", `There is no engine pack "${unknown}".${didYouMean(unknown, known)}`, {
    hint: `The packs are ${known.join(", ")}.`,
  });
}

interface Change {
  readonly verb: Verb;
  readonly name: string;
}

async function changePack({ io, json, signal, status }: Context, packs: Packs, { verb, name }: Change): Promise<void> {
  const work = {
    signal,
    onLine(line: string): void {
      status.note(line);
    },
  };
  const say = (text: string): void => {
    if (!json) io.stdout.write(`${text}\n`);
  };
  if (verb === "remove") {
    if (!(await packs.remove(name))) throw new HearthError("not_found", `The pack ${name} is not installed.`);
    say(`${name} is removed.`);
  } else {
    const row = await (verb === "add" ? packs.add(name, work) : packs.update(name, work));
    say(`${name} ${row.installed ?? row.version} is installed.`);
  }
}

const columns = [
  { title: "PACK", value: (row: PackRow) => row.name },
  { title: "VERSION", value: (row: PackRow) => row.version },
  { title: "STATE", value: (row: PackRow) => row.state },
  { title: "DOWNLOAD", value: (row: PackRow) => bytesOrNothing(row.downloadBytes), align: "right" },
  { title: "FOR", value: (row: PackRow) => row.text },
] as const;

function bytesOrNothing(bytes: number | undefined): string {
  return bytes === undefined ? "" : formatBytes(bytes);
}
