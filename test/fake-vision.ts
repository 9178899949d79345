/** Models of vision and text for tests without one. */
import { chooseOutputs } from "../src/engines/media/outputs.ts";
import type { Tasks } from "../src/spec/perform.ts";
import type { FakeTasks } from "./fake-speech.ts";

const box = { x: 1, y: 2, width: 30, height: 40 };
export const fakePng: Uint8Array = Uint8Array.of(0x89, 0x50, 0x4e, 0x47);
const drawn = { png: fakePng, width: 64, height: 48 };
const mask = { width: 2, height: 2, data: Uint8Array.of(0, 255, 255, 0) };

/** A drawing where the request asks for one. */
function drawing(request: { readonly draw?: boolean }): { readonly drawn?: Tasks["upscale"]["result"] } {
  return request.draw === true ? { drawn } : {};
}

export const fakeVision: FakeTasks = {
  classify: ({ texts, images, labels = ["cat", "dog"] }) => ({
    labels: [...(texts ?? images ?? [])].map(() => labels.map((label, index) => ({ label, score: 0.9 / (index + 1) }))),
  }),
  tokens: ({ texts }) => ({
    entities: texts.map((text) => [{ text, label: "PER", score: 0.99, start: 0, end: text.length }]),
  }),
  detect: (request) => ({ objects: [{ label: "cat", score: 0.875, box }], ...drawing(request) }),
  segment: (request) => ({ segments: [{ label: "person", score: 1, mask }], ...drawing(request) }),
  pose: (request) => ({
    figures: [{ box, score: 0.5, label: "left", keypoints: [{ x: 1, y: 2, name: "wrist", score: 1 }], lines: [] }],
    ...drawing(request),
  }),
  ocr: (request) => ({
    text: "STOP",
    lines: [{ text: "STOP", score: 0.9, corners: [{ x: 0, y: 0 }] }],
    ...drawing(request),
  }),
  depth: (request) => ({ width: 2, height: 1, depth: Float32Array.of(0.5, 4), ...drawing(request) }),
  caption: ({ prompt = "" }, { onPart }) => {
    onPart?.({ text: "A cat" });
    onPart?.({ text: `. ${prompt}` });
    return { text: `A cat. ${prompt}` };
  },
  upscale: () => drawn,
  "remove-background": () => ({ ...drawn, mask }),
  translate: ({ text, to = "de" }) => ({ text: `${to}: ${text}` }),
  diarize: ({ speakers = 1 }) => ({ turns: [{ speaker: speakers - 1, start: 0.5, end: 2 }], seconds: 3 }),
  voice: () => ({ spans: [{ start: 0.25, end: 1.5 }], seconds: 2 }),
  infer({ inputs, outputs }) {
    const all = Object.entries(inputs).map(([name, tensor]) => ({ name: `${name}_out`, tensor }));
    const names = outputs && chooseOutputs(outputs, all);
    const given = all.filter(({ name }) => names?.includes(name) ?? true);
    return { outputs: Object.fromEntries(given.map(({ name, tensor }) => [name, tensor])) };
  },
};
