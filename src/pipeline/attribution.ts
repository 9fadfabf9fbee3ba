// A pid → the keys of a line that say who it was. Made once per process image and kept with the process; what only
// /proc tells is read when the first line needs it, and looked at again now and then.
import type { ProcessRecord } from "../decode/process.ts";
import { ARGS_BIT, DETAIL_BITS } from "../event.ts";
import { NOBODY, type ProcessFacts, type ProcessText, processText } from "../log/process-text.ts";
import { readControlGroup } from "../process/cgroup.ts";
import type { Executables } from "../process/executables.ts";
import { isKnown, type Process, type Unknowable } from "../process/process.ts";
import { readCommandLine, readExe, readLogin } from "../process/procfs.ts";
import { ANCESTORS_MAX, isStill, surroundings } from "../process/surroundings.ts";
import type { ProcessTable } from "../process/table.ts";
import { UserNames } from "../process/users.ts";

/** Texts of one process image. */
interface Cached {
  /** Generation of the user names they were made with. */
  generation: number;
  /** When /proc was read for them, CLOCK_MONOTONIC. */
  readNs: number;
  /** One for each mask of details and word for `who` that was needed: hardly ever more than two. */
  variants: { details: number; who: string | null; text: ProcessText }[];
}

/** Login and control group change without a message: a process that goes on working is looked at again this often. */
const FRESH_NS = 1e9;
const GROUP_BITS = DETAIL_BITS.unit | DETAIL_BITS.container;
/** A command line in a log is cut to this. */
const ARGS_MAX_BYTES = 4096;
/** Pids without a process whose text is kept. */
const UNKNOWN_MAX = 1024;

export class Attribution {
  private readonly users: UserNames;
  private generation = 0;
  private readonly unknown = new Map<number, ProcessText>();
  private unknownReason: Unknowable = "gone_before_known";
  private batchSinceNs = 0;
  private nowNs = 0;
  /** Events that were asked about, and those of them that no process is known for. */
  asked = 0;
  unattributed = 0;
  /** What the lines of every path say of a process besides what the path itself asks for: a mask of DETAIL_BITS. */
  commonDetails = 0;

  constructor(
    private readonly table: ProcessTable,
    private readonly executables: Executables,
  ) {
    this.users = new UserNames(() => {
      this.generation++;
    });
  }

  /** Looks whether the user database has changed. */
  refresh(): void {
    this.users.refresh();
  }

  /** Asks for the names of users that processes have taken, before a line needs them. */
  noteUsers(records: readonly ProcessRecord[]): void {
    for (const record of records) if (record.kind === "uid") this.users.expect(record.uid);
  }

  /** The same for processes that are older than the streams: their users, and who logged in. */
  expectUsers(processes: Iterable<Process>): void {
    for (const { pid, uid } of processes) {
      this.users.expect(uid);
      const login = readLogin(pid);
      if (typeof login === "number") this.users.expect(login);
    }
  }

  /** True while some user's name is being looked up that is worth waiting for. */
  get awaitsNames(): boolean {
    return this.users.areAwaited;
  }

  /**
   * From when to when the events of the next batch can be.
   *
   * @param sinceNs CLOCK_MONOTONIC of when the queue was last seen empty
   * @param nowNs of when this batch was read
   */
  beginBatch(sinceNs: number, nowNs: number): void {
    this.batchSinceNs = sinceNs;
    this.nowNs = nowNs;
    this.table.beginBatch(sinceNs);
  }

  /** Hot. The text for a line of this pid's, with these details (a mask of DETAIL_BITS). */
  textOf(pid: number, pathDetails: number): ProcessText {
    const details = pathDetails | this.commonDetails;
    this.asked++;
    const process = this.table.find(pid);
    if (process === null) {
      this.unattributed++;
      return this.unknownText(pid);
    }
    if (!isKnown(process.nameBy)) this.unattributed++;
    let cached = process.cached as Cached | null;
    if (
      cached === null ||
      cached.generation !== this.generation ||
      (this.nowNs - cached.readNs > FRESH_NS && !process.exited)
    ) {
      cached = { generation: this.generation, readNs: this.nowNs, variants: [] };
      process.cached = cached;
    }
    const who = this.whoOf(process);
    for (const one of cached.variants) if (one.details === details && one.who === who) return one.text;
    const text = this.describe(process, details, who);
    cached.variants.push({ details, who, text });
    return text;
  }

  /** For lines that no process stands behind: what the kernel itself reports. */
  readonly nobody: ProcessText = processText({ ...NOBODY, whoReason: "kernel" });

  /** For what was found by reading a directory: nobody saw who did it. */
  readonly unseen: ProcessText = processText({ ...NOBODY, whoReason: "scan" });

  /**
   * Hot. Events carry no time: what a process did before it took another name or user, and what it did then, can't be
   * told apart where both can lie in this batch. The later name and user stand in the line, and this word.
   */
  private whoOf(process: Process): string | null {
    const { nameBy, userBy, launchedNs, changedNs, forkedNs } = process;
    const source = isKnown(nameBy) && nameBy !== null ? nameBy : isKnown(userBy) ? userBy : null;
    if (source === "lost") return source;
    if (nameBy === "inherited" || userBy === "inherited") return "inherited";
    const since = this.batchSinceNs;
    // The first exec after a fork, whenever that was: what came in between was done to launch it.
    const launched = launchedNs > changedNs && launchedNs > since;
    if (!launched && changedNs > since && changedNs > forkedNs) return "changed_meanwhile";
    if (process.mixedUsers) return "threads_differ";
    return source ?? (launched ? "launched" : null);
  }

  private describe(process: Process, details: number, who: string | null): ProcessText {
    const args = (details & ARGS_BIT) !== 0 && !process.exited ? readCommandLine(process.pid) : null;
    const { image } = process;
    const exe = image.exe === undefined && !process.exited ? readExe(process.pid) : null;
    // A dead process's number may belong to another by now: what wasn't read while it lived stays unknown.
    const lives = isStill(process);
    let path = image.exe;
    if (path === undefined) {
      path = lives && exe !== null ? exe : this.executables.pathOf(image);
      // What /proc shows of a child may be a program that it executed just now: that isn't its parent's.
      if (image.pid !== process.pid) process.image = { ...image, exe: path };
      else image.exe = path;
    }
    const login = surroundings(process, lives, "login", readLogin);
    const group =
      (details & GROUP_BITS) === 0
        ? { value: undefined, inherited: false }
        : surroundings(process, lives, "group", readControlGroup);
    const unit = (details & DETAIL_BITS.unit) === 0 ? null : (group.value?.unit ?? null);
    const container = (details & DETAIL_BITS.container) === 0 ? null : (group.value?.container ?? null);
    const inherited: string[] = [];
    if (login.inherited && typeof login.value === "number") inherited.push("login");
    if (group.inherited && unit !== null) inherited.push("unit");
    if (group.inherited && container !== null) inherited.push("container");
    const { nameBy, userBy } = process;
    const named = isKnown(nameBy);
    const loginUser = typeof login.value === "number" ? this.users.nameOf(login.value) : null;
    const user = isKnown(userBy) ? this.users.nameOf(process.uid) : null;
    return processText({
      pid: process.pid,
      comm: named ? process.comm : null,
      user: user?.name ?? null,
      userReason: user?.reason ?? null,
      parentPid: process.parentPid === 0 ? null : process.parentPid,
      exe: named ? path : null,
      uid: user === null || user.name === String(process.uid) ? null : process.uid,
      euid: user === null || process.euid === process.uid ? null : process.euid,
      login: loginUser?.name ?? null,
      loginReason: loginUser?.reason ?? null,
      parentComm: (details & DETAIL_BITS.parent) === 0 ? null : commIfKnown(process.parent),
      unit,
      container,
      ancestry: (details & DETAIL_BITS.ancestry) === 0 ? null : ancestryOf(process),
      args: lives && args !== null ? args.subarray(0, ARGS_MAX_BYTES) : null,
      argsCut: args !== null && args.length > ARGS_MAX_BYTES,
      inherited,
      who: named || user !== null ? who : null,
      whoReason: named ? (user === null ? userBy : null) : nameBy,
    });
  }

  /** For the command filters: null where it isn't known. */
  commOf(pid: number): string | null {
    return commIfKnown(this.table.find(pid));
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

function commIfKnown(process: Process | null): string | null {
  return process !== null && isKnown(process.nameBy) ? process.comm : null;
}

/** "systemd>sshd>bash>make>rm", the process itself last; "?" in front where more ancestors aren't known, or shown. */
function ancestryOf(process: Process): string {
  let text = nameInChain(process);
  let one = process;
  for (let i = 1; one.parent !== null && i < ANCESTORS_MAX; i++) {
    one = one.parent;
    text = `${nameInChain(one)}>${text}`;
  }
  return one.parentPid === 0 ? text : `?>${text}`;
}

/** A name may have the separator in it. */
function nameInChain(process: Process): string {
  const comm = commIfKnown(process) ?? "?";
  return comm.includes(">") || comm.includes("\\") ? comm.replace(/[\\>]/g, "\\$&") : comm;
}
