/**
 * Flags of the processes that compute. `revectorize` lets the compiler merge neighbouring 128-bit operations into 256-bit
 * ones where the processor has them; `graph/self-check.ts` does not trust it. Without the baseline compiler kernels are fast from their first call on.
 With `gc` the memory of a sleeping model is given back at once.
 */
export const flintFlags: readonly string[] = ["--experimental-wasm-revectorize", "--no-liftoff", "--expose-gc"];
