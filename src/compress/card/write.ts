import { dirname } from "node:path";
import { writeDurable } from "../../models/durable.ts";
import type { Card } from "./card.ts";
import { cardPath, pagePath } from "./path.ts";
import { cardPage } from "./page.ts";

/** Writes a model's card and its page beside it, in place of older ones; gives both paths. */
export async function writeCard(model: string, card: Card): Promise<readonly [card: string, page: string]> {
  const paths = [cardPath(model), pagePath(model)] as const;
  const [path, page] = paths;
  await writeDurable(path, `${JSON.stringify(card, undefined, 2)}\n`, dirname(path));
  await writeDurable(page, cardPage(card), dirname(page));
  return paths;
}
