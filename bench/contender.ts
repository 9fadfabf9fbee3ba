// What every program under comparison has to answer: how it is started on a directory, what it found, what it cost.

export interface Contender {
  readonly name: string;
  /** Which version runs; null where it isn't installed or can't run here, with the reason in `obstacle`. */
  readonly version: string | null;
  readonly obstacle: string;
  /** Starts it on a directory, with everything below; resolves when it is watching. */
  start(root: string): Promise<Running>;
}

export interface Running {
  /** Whose processor time and memory count. */
  readonly pids: readonly number[];
  /** Resolves when what was done before has been told. */
  drained(): Promise<void>;
  /** Of the storm's files: how many events it told; null where it tells none. */
  found(files: ReadonlySet<string>): Found | null;
  stop(): Promise<void>;
}

export interface Found {
  /** How many were to be told by this program (auditd knows no close, for instance). */
  expected: number;
  missed: number;
  /** Of the lines told: those without a program's name. */
  nameless: number;
}

/** Counts the distinct (kind, name) pairs among those that the storm made. */
export class Tally {
  private readonly seen = new Set<string>();
  private nameless = 0;

  constructor(
    private readonly files: ReadonlySet<string>,
    private readonly kinds: readonly string[],
  ) {}

  add(kind: string, name: string, named: boolean): void {
    if (!this.files.has(name) || !this.kinds.includes(kind)) return;
    this.seen.add(`${kind} ${name}`);
    if (!named) this.nameless++;
  }

  get found(): Found {
    const expected = this.files.size * this.kinds.length;
    return { expected, missed: expected - this.seen.size, nameless: this.nameless };
  }
}

/** The last two parts of a path: enough to tell the storm's files apart, and known to every contender. */
export function shortName(path: string): string {
  return path.slice(path.lastIndexOf("/", path.lastIndexOf("/") - 1) + 1);
}

/** A program ended by itself while it was being measured. */
export class Fallen extends Error {
  constructor(readonly exitCode: number) {
    super(`it ended by itself with exit code ${exitCode}`);
  }
}
