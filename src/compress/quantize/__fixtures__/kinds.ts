/** Headers of small models of several kinds: as few layers as show every rule, and short rows. */

export interface Kind {
  readonly name: string;
  readonly metadata: Readonly<Record<string, string | number>>;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

interface KindOptions {
  readonly layers: number;
  readonly architecture?: string;
  /** Weights of a row. */
  readonly k?: number;
  readonly keyHeads?: number;
  readonly experts?: number;
  readonly tied?: boolean;
  /** q, k and v in one matrix. */
  readonly fused?: boolean;
}

function kind(name: string, options: KindOptions): Kind {
  const { architecture = "llama", layers, k = 256, keyHeads = 2, experts = 0, tied = false, fused = false } = options;
  const shapes: Record<string, readonly number[]> = { "token_embd.weight": [k, 4], "output_norm.weight": [k] };
  if (!tied) shapes["output.weight"] = [k, 4];
  const parts = fused ? ["attn_qkv"] : ["attn_q", "attn_k", "attn_v"];
  for (let layer = 0; layer < layers; layer++) {
    const add = (part: string, shape: readonly number[]): void => void (shapes[`blk.${layer}.${part}.weight`] = shape);
    add("attn_norm", [k]);
    for (const part of parts) add(part, [k, 2]);
    add("attn_output", [k, 2]);
    if (experts > 0) add("ffn_gate_inp", [k, experts]);
    for (const part of ["ffn_gate", "ffn_up", "ffn_down"]) {
      if (experts > 0) add(`${part}_exps`, [k, 2, experts]);
      else add(part, [k, 2]);
    }
  }
  const figures = {
    block_count: layers,
    "attention.head_count": 4,
    "attention.head_count_kv": keyHeads,
    ...(experts > 0 && { expert_count: experts, expert_used_count: 2 }),
  };
  const own = Object.entries(figures).map(([key, value]) => [`${architecture}.${key}`, value] as const);
  return { name, metadata: { "general.architecture": architecture, ...Object.fromEntries(own) }, shapes };
}

export const kinds: readonly Kind[] = [
  kind("32 layers, two query heads a key head", { layers: 32 }),
  kind("18 layers, four query heads a key head", { layers: 18, keyHeads: 1 }),
  kind("tied embeddings", { layers: 4, tied: true }),
  kind("rows of 288", { layers: 9, k: 288, tied: true }),
  kind("rows of 40", { layers: 2, k: 40 }),
  kind("eight experts", { layers: 16, experts: 8 }),
  kind("four experts", { layers: 8, experts: 4 }),
  kind("falcon", { architecture: "falcon", layers: 32, fused: true }),
  kind("80 layers", { layers: 80 }),
];

/** `Q4_K Q4_K F32` → `Q4_K*2 F32`. */
export function shorten(types: readonly string[]): string {
  const runs: [string, number][] = [];
  for (const type of types) {
    const last = runs.at(-1);
    if (last?.[0] === type) last[1]++;
    else runs.push([type, 1]);
  }
  return runs.map(([type, count]) => (count === 1 ? type : `${type}*${count}`)).join(" ");
}
