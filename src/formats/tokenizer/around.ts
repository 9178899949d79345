/** The tokens that the post-processor of a tokenizer.json puts around a single text. */
export interface Around {
  readonly first: string | undefined;
  readonly last: string | undefined;
}

const nothing: Around = { first: undefined, last: undefined };

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

/** Reads `post_processor`; kinds that put nothing there, or are not known, count as nothing. */
export function readAround(value: unknown): Around {
  if (!isObject(value)) return nothing;
  switch (value["type"]) {
    case "Sequence":
      return list(value["processors"])
        .map(readAround)
        .reduce((all, each) => ({ first: all.first ?? each.first, last: all.last ?? each.last }), nothing);
    case "BertProcessing":
    case "RobertaProcessing":
      return { first: pairName(value["cls"]), last: pairName(value["sep"]) };
    case "TemplateProcessing": {
      const items = list(value["single"]);
      const text = items.findIndex((item) => isObject(item) && item["Sequence"] !== undefined);
      return { first: templateName(items[text - 1]), last: templateName(items[text + 1]) };
    }
    default:
      return nothing;
  }
}

function templateName(item: unknown): string | undefined {
  const special = isObject(item) ? item["SpecialToken"] : undefined;
  return isObject(special) && typeof special["id"] === "string" ? special["id"] : undefined;
}

function pairName(value: unknown): string | undefined {
  const [name] = list(value);
  return typeof name === "string" ? name : undefined;
}
