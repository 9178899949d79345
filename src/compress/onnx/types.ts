/** What ONNX models are quantized to. */
export const onnxTypes = ["int8", "int4"] as const;
export type OnnxQuantType = (typeof onnxTypes)[number];
