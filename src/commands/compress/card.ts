/** The quality card of what a command made of a model. */
import { basename } from "node:path";
import type { Card } from "../../compress/card/card.ts";
import { style } from "../../terminal/style.ts";
import { formatPairs } from "../../terminal/table.ts";
import type { Context } from "../command.ts";
import type { FoundModel } from "./model.ts";

export interface MadeModel extends Pick<Card, "pruned"> {
  readonly path: string;
}

type CardContext = Pick<Context, "io" | "json" | "services" | "settings" | "signal" | "status">;

/** Measures what was made against what it was made of, writes the card beside it and prints it. */
export async function makeCard(context: CardContext, source: FoundModel, { path, ...facts }: MadeModel): Promise<Card> {
  const { io, json, services, settings, signal, status } = context;
  const { createCard } = await import("../../compress/card/card.ts");
  const { cardLines } = await import("../../compress/card/lines.ts");
  const { defaultText } = await import("../../compress/evaluate/text.ts");
  const evaluation = await services.evaluate({
    model: { name: basename(path), path },
    reference: source,
    text: await defaultText(),
    settings,
    signal,
    onProgress: status.update,
  });
  status.clear();
  const card = createCard({ ...evaluation, ...facts });
  const paths = await services.writeCard(path, card);
  if (!json) {
    io.stdout.write(`${formatPairs(io.stdout, cardLines(card))}${style(io.stdout, "dim", paths.join("\n"))}\n`);
  }
  return card;
}
