import { describe, expect, it } from "vitest";
import { Control } from "./control.ts";

function create(stages = 2): Control {
  return new Control(new SharedArrayBuffer(Control.bytes(stages)), stages);
}

function begin(control: Control): number {
  control.close();
  return control.begin();
}

describe("pieces of a step", () => {
  it("are each given to one worker, in every stage", () => {
    const control = create();
    const step = begin(control);
    expect([0, 1, 2, 3].map(() => control.claim(0, step, 3))).toEqual([0, 1, 2, -1]);
    expect(control.claim(1, step, 1)).toBe(0);
  });

  it("are not given to a worker that slept through the end of their step", () => {
    const control = create();
    const slept = begin(control);
    expect(control.claim(0, slept, 1)).toBe(0);
    control.finish(0);
    expect(control.awaitStage(0, slept, 1)).toBe("done");
    control.close();
    // The next step has more pieces, which the sleeper can see already.
    expect(control.claim(0, slept, 8)).toBe(-2);
    expect(control.awaitStage(0, slept, 8)).toBe("over");
    const step = control.begin();
    expect(control.claim(0, slept, 8)).toBe(-2);
    expect(control.claim(0, step, 8)).toBe(0);
  });

  it("are waited for, but not for ever", () => {
    const control = create();
    const step = begin(control);
    expect(control.awaitStage(0, step, 1)).toBe("late");
    control.finish(0);
    expect(control.awaitStage(0, step, 1)).toBe("done");
  });
});

describe("pieces that were computed aside", () => {
  it("are published once", () => {
    const control = create();
    const step = begin(control);
    expect(control.isCommitted(0, step, 7)).toBe(false);
    expect([control.commit(0, step, 7), control.commit(0, step, 7)]).toEqual([true, false]);
    expect(control.isCommitted(0, step, 7)).toBe(true);
    expect(control.commit(1, step, 7)).toBe(true);
  });

  it("are discarded where the step went on without them", () => {
    const control = create();
    const slept = begin(control);
    control.commit(0, slept, 0);
    const step = begin(control);
    expect(control.commit(0, slept, 0)).toBe(false);
    expect(control.commit(0, step, 0)).toBe(true);
    expect(control.commit(0, slept, 0)).toBe(false);
  });

  it("can be published after any number of steps without them", () => {
    const control = create(1);
    control.commit(0, begin(control), 0);
    for (const rest of [1, 262_144, 300_000]) {
      let step = 0;
      for (let index = 0; index < rest; index++) step = begin(control);
      expect([rest, control.commit(0, step, 0), control.commit(0, step, 0)]).toEqual([rest, true, false]);
    }
  });
});
