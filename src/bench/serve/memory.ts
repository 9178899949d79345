/** Memory of a server: of its process and of all that it has started. */
import { machine, type Looker } from "../../hardware/read.ts";
import { sleep } from "../../util/abort.ts";

interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly residentBytes: number;
}

/** What the system counts as resident, of a process and all below it; NaN where the system does not say. */
export async function treeBytes(root: number | undefined, look: Looker = machine): Promise<number> {
  if (root === undefined) return Number.NaN;
  const rows = await listProcesses(look);
  const family = new Set([root]);
  // Children are found in any order: as long as one joins, its own may be among those passed over.
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const { pid, parent } of rows) if (family.has(parent)) family.add(pid);
  }
  const bytes = rows.filter(({ pid }) => family.has(pid)).reduce((total, row) => total + row.residentBytes, 0);
  return bytes > 0 ? bytes : Number.NaN;
}

async function listProcesses(look: Looker): Promise<readonly ProcessRow[]> {
  const pids = look.entries("/proc").filter((name) => /^\d+$/.test(name));
  if (pids.length > 0) return pids.flatMap((pid) => parseStatus(Number(pid), look.read(`/proc/${pid}/status`) ?? ""));
  const text = (await look.run("ps", ["-A", "-o", "pid=,ppid=,rss="])) ?? "";
  return text.split("\n").flatMap(parsePsLine);
}

/** proc_pid_status(5); kernel threads have no VmRSS. */
function parseStatus(pid: number, text: string): ProcessRow[] {
  const parent = /^PPid:\s+(\d+)/m.exec(text)?.[1];
  const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(text)?.[1];
  if (parent === undefined || kibibytes === undefined) return [];
  return [{ pid, parent: Number(parent), residentBytes: Number(kibibytes) * 1024 }];
}

function parsePsLine(line: string): ProcessRow[] {
  const [pid, parent, kibibytes] = line.trim().split(/\s+/).map(Number);
  if (pid === undefined || parent === undefined || kibibytes === undefined) return [];
  return [{ pid, parent, residentBytes: kibibytes * 1024 }];
}

const sampleMs = 500;

export interface Watched<T> {
  readonly result: T;
  readonly before: number;
  readonly most: number;
  readonly after: number;
}

/** Memory in bytes before the work, at most while it went on, and after it. */
export async function watchMemory<T>(
  server: { readonly pid: number | undefined },
  work: () => Promise<T>,
): Promise<Watched<T>> {
  const before = await treeBytes(server.pid);
  let most = before;
  const done = new AbortController();
  const watching = (async () => {
    while (!done.signal.aborted) {
      most = Math.max(most, await treeBytes(server.pid));
      await sleep(sampleMs, done.signal).catch(() => undefined);
    }
  })();
  try {
    const result = await work();
    const after = await treeBytes(server.pid);
    return { result, before, most: Math.max(most, after), after };
  } finally {
    done.abort();
    await watching;
  }
}
