import { expect, test } from "vitest";
import { storeFolders } from "./store.ts";
import { checkSpace, explainFull } from "./space.ts";

const folders = storeFolders("/data");
const context = { folders, freeBytes: async () => await Promise.resolve(1024 ** 3) };

test("what fits is not refused; what does not is refused with need, have and what to do", async () => {
  await checkSpace(context, 1024 ** 3, "model.gguf");
  await expect(checkSpace(context, 2 * 1024 ** 3, "model.gguf")).rejects.toMatchObject({
    code: "disk_full",
    message: "model.gguf needs 2.0 GiB more on the disk of /data/models/staging; 1.0 GiB are free.",
    hint: expect.stringContaining("HEARTH_DATA"),
    details: { neededBytes: 2 * 1024 ** 3, freeBytes: 1024 ** 3 },
  });
});

test("a disk that fills up in the middle is told with what is free; other errors stay as they are", async () => {
  for (const code of ["ENOSPC", "EDQUOT"]) {
    const error = Object.assign(new Error("write"), { code });
    expect(await explainFull(context, error, "model.gguf")).toMatchObject({ code: "disk_full", cause: error });
  }
  const other = Object.assign(new Error("write"), { code: "EIO" });
  expect(await explainFull(context, other, "model.gguf")).toBe(other);
});
