/** Files that are damaged or meant to harm: every one is refused, with the part's name, before anything is computed. */
import { describe, expect, it } from "vitest";
import { HearthError } from "../../../error.ts";
import type { RawTensor } from "../scheme.ts";
import {
  fixtureBytes,
  openLayers,
  openMatrix,
  openScheme,
  rawTensors,
  readWeights,
  schemeFixture,
} from "./__fixtures__/fixtures.ts";

const query = "model.layers.0.self_attn.q_proj";

type Change = (tensor: RawTensor) => RawTensor | undefined;

/** The matrix of the queries, with one of its parts changed or taken away. */
function openChanged(fixture: string, part: string, change: Change): void {
  const given = schemeFixture(fixture);
  const tensors = rawTensors(fixtureBytes(given)).flatMap((tensor) =>
    tensor.name === `${query}.${part}` ? (change(tensor) ?? []) : tensor,
  );
  readWeights(openMatrix(openLayers(given, tensors), query));
}

function errorOf(run: () => void): HearthError {
  try {
    run();
  } catch (error) {
    if (error instanceof HearthError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const remove: Change = () => undefined;
const reshape =
  (...shape: number[]): Change =>
  (tensor) => ({
    ...tensor,
    shape,
    sizeBytes: shape.reduce((product, size) => product * size, tensor.sizeBytes / count(tensor)),
  });
const retype =
  (dtype: RawTensor["dtype"]): Change =>
  (tensor) => ({ ...tensor, dtype });
/** Bytes in front are others. */
const overwrite =
  (...bytes: number[]): Change =>
  (tensor) => ({
    ...tensor,
    read(offset, target) {
      tensor.read(offset, target);
      for (const [at, byte] of bytes.entries())
        if (at >= offset && at < offset + target.length) target[at - offset] = byte;
    },
  });

function count({ shape }: RawTensor): number {
  return shape.reduce((product, size) => product * size, 1);
}

describe.each([
  ["gptq-4-sym", "qweight", remove, "is missing"],
  ["gptq-4-sym", "qzeros", remove, "is missing"],
  ["gptq-4-sym", "scales", remove, "is missing"],
  ["gptq-4-sym", "qweight", reshape(8, 63), "8 × 63"],
  ["gptq-4-sym", "qweight", reshape(7, 64), "56 columns"],
  ["gptq-4-sym", "qweight", reshape(512), "2 dimensions"],
  ["gptq-4-sym", "qweight", retype("F32"), "F32"],
  ["gptq-4-sym", "qzeros", reshape(2, 7), "7 words"],
  ["gptq-4-sym", "qzeros", reshape(1, 8), "1 × 8"],
  ["gptq-4-sym", "scales", reshape(2, 32), "8 × 64"],
  ["gptq-4-sym", "scales", retype("I64"), "I64"],
  ["gptq-4-sym", "scales", overwrite(0, 0x7c), "scale Infinity"],
  ["gptq-4-sym", "g_idx", reshape(63), "64 columns"],
  ["gptq-4-sym", "g_idx", overwrite(2), "names group 2"],
  ["gptq-4-sym", "g_idx", overwrite(0xff, 0xff, 0xff, 0xff), "names group -1 for column 0"],
  ["gptq-4-sym", "g_idx", retype("I64"), "I64"],
  ["awq-gemm", "qweight", reshape(64, 7), "56"],
  ["awq-gemm", "qweight", reshape(31, 8), "groups"],
  ["awq-gemm", "qzeros", reshape(1, 8), "1 × 8"],
  ["awq-gemm", "scales", reshape(1, 64), "2 × 8"],
  ["awq-gemv", "qweight", reshape(64, 0), "empty"],
  ["awq-gemv", "qzeros", reshape(63, 4), "63 × 4"],
  ["awq-gemv", "scales", reshape(64, 1), "64 × 1"],
  ["ct-4-group", "weight_shape", remove, "is missing"],
  ["ct-4-group", "weight_shape", overwrite(65), "65 × 64"],
  ["ct-4-group", "weight_shape", overwrite(0, 0, 0, 0x80), "two sizes"],
  ["ct-4-group", "weight_scale", reshape(64, 3), "64 × 3"],
  ["ct-4-group", "weight_packed", reshape(64, 7), "64 × 7"],
  ["ct-4-group-asym", "weight_zero_point", reshape(8, 1), "8 × 1"],
  ["ct-order", "weight_g_idx", overwrite(9), "names group 9"],
  ["ct-w8a8", "weight_scale", reshape(63, 1), "63 × 1"],
  ["ct-w8a8", "weight_scale", remove, "is missing"],
  ["ct-fp8-block", "weight_scale", reshape(2, 1), "2 × 1"],
  ["fp8-blocks", "weight_scale_inv", remove, "is missing"],
  ["fp8-blocks", "weight_scale_inv", reshape(1, 2), "1 × 2"],
  ["fp8-blocks", "weight_scale_inv", overwrite(0, 0, 0xc0, 0x7f), "scale NaN"],
  ["fp8-e5m2", "weight", reshape(64, 64, 1), "2 dimensions"],
  ["bnb-nf4", "weight", reshape(2047, 1), "2047 bytes"],
  ["bnb-nf4", "weight.absmax", reshape(63), "63"],
  ["bnb-nf4", "weight.quant_map", reshape(15), "15"],
  ["bnb-nf4", "weight.quant_state.bitsandbytes__nf4", overwrite(0x5b), "JSON"],
  ["bnb-nf4-nested", "weight.nested_absmax", remove, "is missing"],
  ["bnb-nf4-nested", "weight.nested_quant_map", reshape(255), "255"],
  ["bnb-int8", "SCB", reshape(63), "63"],
] as const)("%s whose %s is wrong", (fixture, part, change, said) => {
  it(`says "${said}"`, () => {
    const error = errorOf(() => openChanged(fixture, part, change));
    expect(error.code).toBe("model_malformed");
    expect(error.message).toContain(query);
    expect(error.message).toContain(said);
    expect(error.hint).not.toBe("");
  });
});

describe("settings that cannot be read", () => {
  it.each([
    [{ quant_method: "gptq", bits: 5 }, "bits"],
    [{ quant_method: "gptq", bits: 4, checkpoint_format: "marlin" }, "marlin"],
    [{ quant_method: "gptq", bits: 4, is_marlin_format: true }, "is_marlin_format"],
    [{ quant_method: "gptq", bits: 4, group_size: 0 }, "group_size"],
    [{ quant_method: "awq", bits: 8 }, "bits"],
    [{ quant_method: "awq", bits: 4, version: "gemv_fast" }, "gemv_fast"],
    [{ quant_method: "compressed-tensors", format: "nvfp4-pack-quantized" }, "nvfp4-pack-quantized"],
    [{ quant_method: "compressed-tensors", format: "dense", sparsity_config: { format: "sparse-bitmask" } }, "sparse"],
    [{ quant_method: "bitsandbytes", load_in_4bit: true, bnb_4bit_quant_storage: "bfloat16" }, "quant_storage"],
  ])("%j", (settings, said) => {
    const error = errorOf(() => openScheme(settings));
    expect(error.code).toBe("model_unsupported");
    expect(error.message).toContain(said);
    expect(error.hint).not.toBe("");
  });

  it.each([
    [{ quant_method: "gptq" }, "bits"],
    [{ quant_method: "gptq", bits: "four" }, "bits"],
    [{ quant_method: "gptq", bits: 4, group_size: -2 }, "group_size"],
    [{ quant_method: "fp8", weight_block_size: [128] }, "weight_block_size"],
    [{ quant_method: "fp8", weight_block_size: [0, 128] }, "weight_block_size"],
    [{ quant_method: "compressed-tensors", config_groups: { group_0: 1 } }, "config_groups"],
    [{ quant_method: 4 }, "quant_method"],
  ])("%j is malformed", (settings, said) => {
    const error = errorOf(() => openScheme(settings));
    expect(error.code).toBe("model_malformed");
    expect(error.message).toContain(said);
  });
});
