/** The same texts told by a server that guesses ahead and by one that does not. */
import { raceAbort } from "../../util/abort.ts";
import { sum } from "../statistics.ts";
import type { HearthServer, TextRequest } from "./hearth-server.ts";
import type { Kit, Results, ScenarioName, Values } from "./scenario.ts";
import { copiedShare } from "./texts.ts";
import { whileLoaded } from "./turns.ts";

const slots = 2;

/** Rates of both, from the first token on, and what became of the answers. Who begins changes from text to text. */
export async function compareGuessing(
  kit: Kit,
  scenario: ScenarioName,
  requestsOf: (run: number) => readonly TextRequest[],
): Promise<Results> {
  const guessing = kit.hearth({ slots, speculation: "auto" });
  const plain = kit.hearth({ slots, speculation: "off" });
  const runs: Values[] = [];
  await whileLoaded(kit, [guessing, plain], async () => {
    for (let run = 0; run < kit.runs; run++) {
      kit.note(`${scenario}, run ${run + 1} of ${kit.runs}`);
      const pairs: Pair[] = [];
      for (const request of requestsOf(run)) {
        pairs.push(await tellBoth(kit, { guessing, plain, request, plainFirst: (run + pairs.length) % 2 === 1 }));
      }
      runs.push(summarize(pairs));
    }
  });
  return { [guessing.name]: runs };
}

interface Told {
  readonly text: string;
  /** After the first token. */
  readonly tokens: number;
  readonly ms: number;
}

interface Pair {
  readonly prompt: string;
  readonly guessing: Told;
  readonly plain: Told;
}

interface Question {
  readonly guessing: HearthServer;
  readonly plain: HearthServer;
  readonly request: TextRequest;
  readonly plainFirst: boolean;
}

async function tellBoth(kit: Kit, { guessing, plain, request, plainFirst }: Question): Promise<Pair> {
  const prompt = request.text;
  if (!plainFirst) {
    const first = await tell(kit, guessing, request);
    return { prompt, guessing: first, plain: await tell(kit, plain, request) };
  }
  const first = await tell(kit, plain, request);
  return { prompt, plain: first, guessing: await tell(kit, guessing, request) };
}

async function tell(kit: Kit, server: HearthServer, request: TextRequest): Promise<Told> {
  kit.signal?.throwIfAborted();
  const times: number[] = [];
  let text = "";
  const work = server.tell(request, (piece) => {
    times.push(performance.now());
    text += piece;
  });
  await raceAbort(work, kit.signal);
  return { text, tokens: times.length - 1, ms: (times.at(-1) ?? Number.NaN) - (times[0] ?? Number.NaN) };
}

function summarize(pairs: readonly Pair[]): Values {
  const rate = (told: readonly Told[]): number =>
    (1000 * sum(told.map(({ tokens }) => tokens))) / sum(told.map(({ ms }) => ms));
  const guessing = rate(pairs.map((pair) => pair.guessing));
  const plain = rate(pairs.map((pair) => pair.plain));
  return {
    with: guessing,
    without: plain,
    ratio: guessing / plain,
    copied: sum(pairs.map((pair) => copiedShare(pair.prompt, pair.plain.text))) / pairs.length,
    same: pairs.every((pair) => pair.guessing.text === pair.plain.text) ? 1 : 0,
  };
}
