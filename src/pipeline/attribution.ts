// A pid → the keys of a line that say who it was. Made once per process image and kept with the process;
// executable, login and unit are read when the first line needs them.
import { type ProcessFacts, type ProcessText, processText } from "../log/line.ts";
import { type ControlGroup, readControlGroup } from "../process/cgroup.ts";
import { isKnown, type Process, type Unknowable } from "../process/process.ts";
import { readExe, readLogin } from "../process/procfs.ts";
import type { ProcessTable } from "../process/table.ts";
import { UserNames } from "../process/users.ts";

/** Texts of one process image. */
interface Cached {
  /** Generation of the user names they were made with. */
  generation: number;
  /** By details × changed; made when first needed. */
  texts: (ProcessText | undefined)[];
}

/**
 * A process that takes its name or user so soon after its fork is being launched: what it does before is a shell's redirection at
 * most, and counts as the program's (docs/events.md).
 */
const LAUNCH_NS = 50e6;
/** Deeper chains than a person reads; a bound against a table that goes in circles. */
const ANCESTORS_MAX = 16;
/** Pids without a process whose text is kept. */
const UNKNOWN_MAX = 1024;

export class Attribution {
  private readonly users: UserNames;
  private generation = 0;
  private readonly unknown = new Map<number, ProcessText>();
  private unknownReason: Unknowable = "gone_before_known";
  private batchSinceNs = 0;
  /** Events that were asked about, and those of them that no process is known for. */
  asked = 0;
  unattributed = 0;

  constructor(private readonly table: ProcessTable) {
    this.users = new UserNames(() => {
      this.generation++;
    });
  }

  /** Looks whether the user database has changed. */
  refresh(): void {
    this.users.refresh();
  }

  /**
   * From when on the events of the next batch can be.
   *
   * @param sinceNs CLOCK_MONOTONIC of when the queue was last seen empty
   */
  beginBatch(sinceNs: number): void {
    this.batchSinceNs = sinceNs;
    this.table.beginBatch(sinceNs);
  }

  /** Hot. The text for a line of this pid's. */
  textOf(pid: number, details: boolean): ProcessText {
    this.asked++;
    const process = this.table.find(pid);
    if (process === null) {
      this.unattributed++;
      return this.unknownText(pid);
    }
    if (!isKnown(process.nameBy)) this.unattributed++;
    // It took another name or user while the batch was filling: what it did first bears the later one. Said, not hidden.
    const changed = process.changedNs > this.batchSinceNs && process.changedNs - process.forkedNs > LAUNCH_NS;
    const variant = (details ? 1 : 0) + (changed ? 2 : 0);
    let cached = process.cached as Cached | null;
    if (cached === null || cached.generation !== this.generation) {
      cached = { generation: this.generation, texts: [] };
      process.cached = cached;
    }
    let text = cached.texts[variant];
    if (text === undefined) {
      text = this.describe(process, details, changed);
      cached.texts[variant] = text;
    }
    return text;
  }

  /** For lines that no process stands behind: what the kernel itself reports. */
  readonly nobody: ProcessText = processText({ ...NOBODY, whoReason: "kernel" });

  /** For what was found by reading a directory: nobody saw who did it. */
  readonly unseen: ProcessText = processText({ ...NOBODY, whoReason: "scan" });

  /** For the command filters: null where it isn't known. */
  commOf(pid: number): string | null {
    const process = this.table.find(pid);
    return process !== null && isKnown(process.nameBy) ? process.comm : null;
  }

  private describe(process: Process, details: boolean, changed: boolean): ProcessText {
    // A dead process's number may belong to another by now: what wasn't read while it lived stays unknown.
    if (process.exe === undefined) process.exe = process.exited ? null : readExe(process.pid);
    if (process.login === undefined) process.login = this.inherited(process, readLogin, (one) => one.login);
    const { nameBy, userBy } = process;
    const named = isKnown(nameBy);
    const user = isKnown(userBy) ? this.users.nameOf(process.uid) : null;
    return processText({
      pid: process.pid,
      comm: named ? process.comm : null,
      user,
      parentPid: process.parentPid === 0 ? null : process.parentPid,
      exe: named ? process.exe : null,
      uid: user === null || user === String(process.uid) ? null : process.uid,
      euid: user === null || process.euid === process.uid ? null : process.euid,
      login: process.login === null ? null : this.users.nameOf(process.login),
      who: changed ? "changed_meanwhile" : ((named ? nameBy : null) ?? (user !== null ? userBy : null)),
      whoReason: named ? (user === null ? userBy : null) : nameBy,
      details: details ? { ...this.groupOf(process), ancestry: this.ancestryOf(process) } : null,
    });
  }

  private groupOf(process: Process): ControlGroup {
    if (process.group === undefined)
      process.group = this.inherited(process, readControlGroup, (one) => one.group);
    return process.group ?? { unit: null, container: null };
  }

  /**
   * What a child has from its parent unless it changes it: asked of the process while it lives, else of the
   * parent.
   */
  private inherited<T>(
    process: Process,
    read: (pid: number) => T | null,
    known: (process: Process) => T | null | undefined,
  ): T | null {
    if (!process.exited) return read(process.pid);
    const parent = this.table.peek(process.parentPid);
    if (parent === null) return null;
    return known(parent) ?? (parent.exited ? null : read(parent.pid));
  }

  /** "systemd>sshd>bash>make>rm", the process itself last. */
  private ancestryOf(process: Process): string {
    const names = [process.comm];
    let one: Process | null = process;
    while (one !== null && one.parentPid > 0 && names.length < ANCESTORS_MAX) {
      one = this.table.peek(one.parentPid);
      if (one !== null) names.unshift(one.comm);
    }
    return names.join(">");
  }

  private unknownText(pid: number): ProcessText {
    const { reason } = this.table;
    if (reason !== this.unknownReason) {
      this.unknown.clear();
      this.unknownReason = reason;
    }
    let text = this.unknown.get(pid);
    if (text === undefined) {
      text = processText({ ...NOBODY, ...strangerFacts(pid, reason) });
      if (this.unknown.size >= UNKNOWN_MAX) this.unknown.clear();
      this.unknown.set(pid, text);
    }
    return text;
  }
}

function strangerFacts(pid: number, whoReason: Unknowable): Partial<ProcessFacts> {
  // The process lives outside our pid namespace (fanotify(7)).
  if (pid === 0) return { whoReason: "outside_pid_namespace" };
  // An alias that was forgotten (process/table.ts): nobody can tell any more whose number that was.
  if (pid < 0) return { whoReason: "pid_reused" };
  return { pid, whoReason };
}

const NOBODY: ProcessFacts = {
  pid: null,
  comm: null,
  user: null,
  parentPid: null,
  exe: null,
  uid: null,
  euid: null,
  login: null,
  who: null,
  whoReason: null,
  details: null,
};
