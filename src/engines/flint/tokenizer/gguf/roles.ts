import type { FillRole, Roles } from "../kinds.ts";
import type { TokenizerKeys } from "./metadata.ts";

/** Keys of the roles; of two, the second is an older name. */
const fillKeys: Readonly<Record<FillRole, readonly [string, string?]>> = {
  prefix: ["fim_pre_token_id", "prefix_token_id"],
  suffix: ["fim_suf_token_id", "suffix_token_id"],
  middle: ["fim_mid_token_id", "middle_token_id"],
  pad: ["fim_pad_token_id"],
  repository: ["fim_rep_token_id"],
  separator: ["fim_sep_token_id"],
};

/** Ids of the metadata; where there are none or impossible ones, those that the kind of vocabulary has. */
export function readRoles(keys: TokenizerKeys, byDefault: Partial<Roles>, size: number): Roles {
  const valid = (id: number | undefined): number | undefined =>
    id !== undefined && id >= 0 && id < size ? id : undefined;
  const role = (key: string, assumed?: number): number | undefined => valid(keys.integer(key)) ?? valid(assumed);
  const bos = role("bos_token_id", byDefault.bos);
  const fill: Partial<Record<FillRole, number>> = {};
  for (const [name, [key, older]] of Object.entries(fillKeys) as [FillRole, readonly [string, string?]][]) {
    const id = (older === undefined ? undefined : role(older)) ?? role(key);
    if (id !== undefined) fill[name] = id;
  }
  return {
    bos,
    eos: role("eos_token_id", byDefault.eos),
    sep: role("seperator_token_id", byDefault.sep),
    cls: role("cls_token_id", byDefault.sep === undefined ? undefined : bos),
    pad: role("padding_token_id", byDefault.pad),
    unk: role("unknown_token_id", byDefault.unk),
    mask: role("mask_token_id", byDefault.mask),
    eot: role("eot_token_id"),
    eom: role("eom_token_id"),
    fill,
  };
}
