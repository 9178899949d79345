import type { ModelTasks, TfliteContext } from "../context.ts";
import { classifyWith } from "./classify.ts";
import { detectWith } from "./detect.ts";
import { inferWith } from "./infer.ts";
import { poseWith } from "./pose.ts";
import { segmentWith } from "./segment.ts";

/** What a model can be asked for, beside its tensors. */
export function modelTasks(context: TfliteContext): ModelTasks {
  const infer = inferWith(context.session);
  if (!context.feed) return { infer };
  switch (context.kind) {
    case "detector":
      return { infer, detect: detectWith(context) };
    case "face-detector":
    case "palm-detector":
    case "person-detector":
      return { infer, detect: detectWith(context), pose: poseWith(context) };
    case "hand":
    case "body":
    case "movenet":
      return { infer, pose: poseWith(context) };
    case "segmenter":
      return { infer, segment: segmentWith(context) };
    case "classifier":
      return { infer, classify: classifyWith(context) };
    case "other":
      return { infer };
  }
}
