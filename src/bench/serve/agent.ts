/** One who says everything again each turn and adds a little: agents, chats, editors. */
import type { BenchRequest, Contestant } from "../measure.ts";
import { sum } from "../statistics.ts";
import type { Kit, Scenario, Values } from "./scenario.ts";
import { firstTokenMs, traceRequest } from "./trace.ts";
import { allContestants, measureInTurn } from "./turns.ts";

export interface AgentSizes {
  readonly turns: number;
  /** New tokens of the user in each turn. */
  readonly newTokens: number;
  readonly answerTokens: number;
}

export interface AgentTurn extends BenchRequest {
  readonly answer: number;
}

/** One user needs one sequence; a second lets a contestant keep what it has computed besides. */
const slots = 2;

export function createAgent(sizes: AgentSizes): Scenario {
  const { turns, newTokens, answerTokens } = sizes;
  return {
    name: "agent",
    text: `${turns} turns that repeat all before, ${newTokens} new tokens each, ${answerTokens} answered`,
    neededTokens: turns * (newTokens + answerTokens) + 1,
    figures: [
      { name: "first", label: "first tokens of all turns", unit: "ms", better: "less" },
      { name: "recomputing", label: "the same, nothing cached", unit: "ms" },
      { name: "share", label: "share of recomputing", unit: "%" },
    ],
    async run(kit) {
      const contestants = allContestants(kit, slots);
      return await measureInTurn(kit, { scenario: "agent", contestants }, async (contestant, seed) =>
        contestant === contestants[0]
          ? await measureBoth(kit, contestant, agentTurns(sizes, kit.prompts(seed)))
          : { first: await firstTokens(kit, contestant, agentTurns(sizes, kit.prompts(seed))) },
      );
    },
  };
}

/** Each prompt is the one before, its answer and the new tokens. */
export function agentTurns(sizes: AgentSizes, prompt: (length: number) => number[]): readonly AgentTurn[] {
  const { turns, newTokens, answerTokens } = sizes;
  const history: number[] = [];
  return Array.from({ length: turns }, () => {
    history.push(...prompt(newTokens));
    const [answer = 0] = prompt(1);
    const turn = { prompt: [...history], tokens: answerTokens, answer };
    history.push(...Array<number>(answerTokens).fill(answer));
    return turn;
  });
}

/** The same prompts, each with another first token: nothing of one serves the next. */
export function withoutCommonStart(turns: readonly AgentTurn[], prompt: (length: number) => number[]): BenchRequest[] {
  return turns.map((turn) => ({ prompt: [...prompt(1), ...turn.prompt.slice(1)], tokens: 1 }));
}

/** Peers are not asked to compute everything again: that would take them longer than all else. */
async function measureBoth(kit: Kit, contestant: Contestant, turns: readonly AgentTurn[]): Promise<Values> {
  const first = await firstTokens(kit, contestant, turns);
  const recomputing = await firstTokens(kit, contestant, withoutCommonStart(turns, kit.prompts(turns.length)));
  return { first, recomputing, share: first / recomputing };
}

async function firstTokens(kit: Kit, contestant: Contestant, turns: readonly BenchRequest[]): Promise<number> {
  const times: number[] = [];
  for (const turn of turns) times.push(firstTokenMs(await traceRequest(contestant, turn, kit.signal)));
  return sum(times);
}
