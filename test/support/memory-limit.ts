// A memory limit for the daemon, by a control group of its own. It bounds the kernel's queue as well (src/daemon/queue-bound.ts).
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** cgroup v1's memory controller. */
const MEMORY_GROUPS = "/sys/fs/cgroup/memory";

export const hasMemoryGroups = existsSync(join(MEMORY_GROUPS, "memory.limit_in_bytes"));

let groups = 0;

export class MemoryLimit {
  private readonly group = join(MEMORY_GROUPS, `fsmon-test-${process.pid}-${groups++}`);

  constructor(limitBytes: number) {
    mkdirSync(this.group);
    writeFileSync(join(this.group, "memory.limit_in_bytes"), String(limitBytes));
  }

  /** What a program has to be started by to run within it. */
  get wrapper(): string[] {
    return ["sh", "-c", `echo $$ > ${this.group}/cgroup.procs && exec "$@"`, "sh"];
  }

  /** Once nothing runs within it any more. */
  remove(): void {
    rmdirSync(this.group);
  }
}
