/** Names of keypoints, and which of them a drawing joins. Numbers as MediaPipe and MoveNet count them. */
type Lines = readonly (readonly [number, number])[];

export interface Joints {
  readonly names: readonly string[];
  readonly lines: Lines;
}

function chain(...indices: readonly number[]): Lines {
  return indices.slice(1).map((to, index) => [indices[index] ?? 0, to] as const);
}

export const faceJoints: Joints = {
  names: ["right eye", "left eye", "nose tip", "mouth", "right ear", "left ear"],
  lines: [],
};

/** What the detectors of palms and persons find before the joints are known. */
export const palmJoints: Joints = {
  names: ["wrist", "index base", "middle base", "ring base", "little base", "thumb base", "thumb joint"],
  lines: [],
};
export const personJoints: Joints = { names: ["hips", "whole body", "shoulders", "upper body"], lines: [] };

const fingers = ["thumb", "index", "middle", "ring", "little"].flatMap((finger) =>
  ["base", "lower joint", "upper joint", "tip"].map((joint) => `${finger} ${joint}`),
);
export const handJoints: Joints = {
  names: ["wrist", ...fingers],
  lines: [
    ...[1, 5, 9, 13, 17].flatMap((base) => chain(base, base + 1, base + 2, base + 3)),
    ...chain(0, 1),
    ...chain(0, 5, 9, 13, 17, 0),
  ],
};

function bothSides(names: readonly string[]): string[] {
  return names.flatMap((name) => [`left ${name}`, `right ${name}`]);
}

export const bodyJoints: Joints = {
  names: [
    "nose",
    ...["left", "right"].flatMap((side) => ["inner", "middle", "outer"].map((part) => `${side} eye ${part}`)),
    ...bothSides(["ear"]),
    "mouth left",
    "mouth right",
    ...bothSides(["shoulder", "elbow", "wrist", "little finger", "index finger", "thumb", "hip", "knee", "ankle"]),
    ...bothSides(["heel", "foot"]),
  ],
  lines: [
    ...chain(8, 6, 5, 4, 0, 1, 2, 3, 7),
    ...chain(9, 10),
    ...chain(11, 12, 24, 23, 11),
    ...[11, 12].flatMap((shoulder) => chain(shoulder, shoulder + 2, shoulder + 4, shoulder + 6)),
    ...[23, 24].flatMap((hip) => chain(hip, hip + 2, hip + 4, hip + 6, hip + 8, hip + 4)),
  ],
};

export const moveNetJoints: Joints = {
  names: ["nose", ...bothSides(["eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"])],
  lines: [
    ...chain(4, 2, 0, 1, 3),
    ...chain(5, 6, 12, 11, 5),
    ...chain(5, 7, 9),
    ...chain(6, 8, 10),
    ...chain(11, 13, 15),
    ...chain(12, 14, 16),
  ],
};
