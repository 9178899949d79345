/** Where a model's card is. */

/** `x.gguf` → `x.card.json`; that of a folder stands beside it. */
export function cardPath(model: string): string {
  return `${stemOf(model)}.card.json`;
}

export function pagePath(model: string): string {
  return `${stemOf(model)}.card.html`;
}

function stemOf(model: string): string {
  return model.replace(/(?:-00001-of-\d{5})?\.(?:gguf|onnx)$/i, "").replace(/[/\\]$/, "");
}
