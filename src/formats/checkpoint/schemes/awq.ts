/** AWQ (arXiv 2306.00978) as AutoAWQ stores it, four bits, in the two ways that its kernels want. */
import { unsupported } from "../json.ts";
import type { OpenScheme } from "../scheme.ts";
import { openColumns } from "./awq-gemm.ts";
import type { AwqLayout } from "./awq-gemm.ts";
import { openRows } from "./awq-gemv.ts";
import { codedRows, createShelf } from "./coded.ts";
import { stripEnding } from "./parts.ts";
import { allow, describeGroups, groupSizeOf, settingsOf } from "./settings.ts";

const endings = [".qweight", ".qzeros", ".scales"];

export const openAwq: OpenScheme = (config) => {
  const settings = settingsOf(config, "awq");
  if (!settings) return undefined;
  allow(settings, "bits", [4]);
  allow(settings, "w_bit", [4]);
  const format = (settings.text("version", "checkpoint_format", "format") ?? "gemm").toLowerCase();
  // The same files under the names of other kernels.
  const gemm = ["gemm", "exllama", "ipex"].includes(format);
  if (!gemm && format !== "gemv") {
    throw unsupported(
      settings.name,
      "version",
      `is ${format}; hearth reads gemm and gemv`,
      "Look for the gemm version.",
    );
  }
  const groupSize = groupSizeOf(settings, "group_size", "q_group_size");
  const layout: AwqLayout = { groupSize, shelf: createShelf() };
  return {
    description: `AWQ, 4 bits, ${describeGroups(groupSize)}`,
    layerOf: ({ name }) => stripEnding(name, endings),
    openLayer: (layer) => codedRows((gemm ? openColumns : openRows)(layer, layout), layout.shelf),
  };
};
