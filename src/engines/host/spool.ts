/** A file without a name, to hand to a child process. */
import { randomUUID } from "node:crypto";
import { closeSync, constants, openSync, statfsSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const memoryFolder = "/dev/shm";
/** `f_type` of tmpfs, as Linux's magic.h has it. */
const tmpfs = 0x01021994;
/** Less room is not worth it; Docker gives 64 MB where nobody asks for more. */
const leastRoomBytes = 32 * 1024 ** 2;

/** Where temporary files cost no disk, if there is such a place. */
function spoolFolders(): string[] {
  try {
    const { type, bavail, bsize } = statfsSync(memoryFolder);
    if (type === tmpfs && bavail * bsize >= leastRoomBytes) return [memoryFolder, tmpdir()];
  } catch {
    // Only Linux has it.
  }
  return [tmpdir()];
}

/** Its descriptor. The name is gone at once, so that nothing is left, whoever dies. Undefined where there is no such file. */
export function openSpool(folders: readonly string[] = spoolFolders()): number | undefined {
  // Windows keeps the name of a file that is open.
  if (process.platform === "win32") return undefined;
  for (const folder of folders) {
    const path = join(folder, `hearth-${randomUUID()}`);
    try {
      const file = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
      unlinkSync(path);
      return file;
    } catch {
      // The next folder may be writable.
    }
  }
  return undefined;
}

/** One file for each direction; both or none. */
export function openSpools(): readonly [number, number] | undefined {
  const [down, up] = [openSpool(), openSpool()];
  if (down !== undefined && up !== undefined) return [down, up];
  for (const file of [down, up]) if (file !== undefined) closeSync(file);
  return undefined;
}
