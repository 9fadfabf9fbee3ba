// Directories and files as they are on the disk while Hands work there, what can be done to them next, drawn by a seed, and what a log has to tell of it: each CREATE,
// DELETE and MOVED line. Paths are relative: what is below "m" is managed, what is below "o" isn't.
import type { LogLine } from "./daemon.ts";

/** Directories are not made deeper than this. */
const DEPTH_MAX = 7;

/** Numbers from a seed. */
export class Dice {
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed, 0x9e3779b1) >>> 0 || 1;
    for (let i = 0; i < 8; i++) this.below(2);
  }

  below(limit: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % limit;
  }

  of<T>(list: readonly T[]): T | undefined {
    return list[this.below(Math.max(1, list.length))];
  }
}

/** What may be done, and how often it is drawn: d(irectory), f(ile), u(nlink), r(mdir), m(ove) and x: exchange, of directories or of files. */
const KINDS = [
  { letter: "d", directory: true, weight: 20 },
  { letter: "f", directory: false, weight: 20 },
  { letter: "u", directory: false, weight: 10 },
  { letter: "r", directory: true, weight: 6 },
  { letter: "m", directory: true, weight: 20 },
  { letter: "m", directory: false, weight: 8 },
  { letter: "x", directory: true, weight: 12 },
  { letter: "x", directory: false, weight: 4 },
] as const;
const DRAWN = KINDS.flatMap((kind) => Array<(typeof KINDS)[number]>(kind.weight).fill(kind));
const TOLD_AFTER_LOSS = DRAWN.filter(({ directory }) => directory);
/** So few that a name is often used again. */
const NAMES_AFTER_LOSS = 6;

export class Ground {
  private readonly directories = new Set(["m", "o"]);
  private readonly files = new Set<string>();
  /** What a log has to tell since watch(). */
  readonly expected: string[] = [];
  private watched = false;
  private made = 0;

  /** @param only directories, and nothing outside: what a log can tell after a loss as well */
  constructor(
    private readonly dice: Dice,
    private readonly only = false,
  ) {}

  /** "m" is watched from now on; in "o" nothing is made or removed any more, only moved. */
  watch(): void {
    this.watched = true;
  }

  /** The next operations, as Hands take them. */
  draw(count: number): string[] {
    const operations: string[] = [];
    for (let i = 0; i < count; i++) {
      const one = this.drawOne();
      if (one !== null) operations.push(one);
    }
    return operations;
  }

  private drawOne(): string | null {
    const { dice } = this;
    const { letter, directory } = dice.of(this.only ? TOLD_AFTER_LOSS : DRAWN)!;
    const set = directory ? this.directories : this.files;
    const moves = letter === "m" || letter === "x";
    const isOpen = (path: string) => path.startsWith("m") || (!this.only && (moves || !this.watched));
    const room = [...this.directories].filter((one) => isOpen(one) && one.split("/").length < DEPTH_MAX);
    // No name comes twice where each line counts, so that no two renames are the same for the kernel.
    const name = () => (this.only ? dice.below(NAMES_AFTER_LOSS) : this.made++);
    const fresh = () => `${dice.of(room)!}/${name()}`;
    if (letter === "d" || letter === "f") {
      const path = fresh();
      if (set.has(path)) return null;
      set.add(path);
      this.tell("CREATE", path);
      return `${letter} ${path}`;
    }
    const all = [...set].filter((one) => one.length > 1 && isOpen(one));
    const from = dice.of(letter === "r" ? all.filter((one) => this.isEmpty(one)) : all);
    if (from === undefined) return null;
    if (!moves) {
      set.delete(from);
      this.tell("DELETE", from);
      return `${letter} ${from}`;
    }
    const to = letter === "m" ? fresh() : dice.of(all)!;
    if (isWithin(to, from) || isWithin(from, to) || (letter === "m" && set.has(to))) return null;
    this.relocate(from, "?");
    this.relocate(to, from);
    this.relocate("?", to);
    this.tellMove(from, to);
    if (letter === "x") this.tellMove(to, from);
    return `${letter} ${from} ${to}`;
  }

  private isEmpty(directory: string): boolean {
    return ![...this.directories, ...this.files].some((one) => one.startsWith(`${directory}/`));
  }

  private relocate(from: string, to: string): void {
    for (const set of [this.directories, this.files]) {
      for (const one of [...set]) {
        if (!isWithin(one, from)) continue;
        set.delete(one);
        set.add(to + one.slice(from.length));
      }
    }
  }

  private tellMove(from: string, to: string): void {
    this.tell("MOVED_FROM", from, ` to ${to}`);
    this.tell("MOVED_TO", to, ` from ${from}`);
  }

  private tell(type: string, path: string, end = ""): void {
    if (this.watched && path.startsWith("m/")) this.expected.push(`${type} ${path}${end}`);
  }

  /**
   * Where a log differs from what was done, in words.
   *
   * @param top the directory that paths are relative to
   */
  differences(lines: readonly LogLine[], top: string): string[] {
    const left = new Map<string, number>();
    for (const text of this.expected) left.set(text, (left.get(text) ?? 0) + 1);
    const doubtful: string[] = [];
    const out: string[] = [];
    for (const line of lines) {
      const text = toldBy(line, top);
      if (text === null) continue;
      const count = left.get(text) ?? 0;
      if (count > 0) left.set(text, count - 1);
      else if (line.merged === true) doubtful.push(text);
      else out.push(`told too often: ${text}`);
    }
    const missing = [...left].flatMap(([text, count]) => Array<string>(count).fill(text));
    // Merged: told, but at another place in the order, and so perhaps under another path. Or once instead of twice.
    for (const text of doubtful) {
      const at = missing.findIndex((one) => whatOf(one) === whatOf(text));
      if (at >= 0) missing.splice(at, 1);
      else out.push(`told too often, merged: ${text}`);
    }
    const merged = new Set(lines.filter((line) => line.merged === true).map((line) => toldBy(line, top)));
    return [...out, ...missing.filter((text) => !merged.has(text)).map((text) => `not told: ${text}`)];
  }
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/** A line as Ground tells it; null for what it doesn't. */
function toldBy(line: LogLine, top: string): string | null {
  const below = (path = "") => path.slice(top.length + 1);
  if (line.event_type === "CREATE" || line.event_type === "DELETE")
    return `${line.event_type} ${below(line.path)}`;
  if (line.event_type === "MOVED_FROM") return `MOVED_FROM ${below(line.path)} to ${below(line.to)}`;
  if (line.event_type === "MOVED_TO") return `MOVED_TO ${below(line.path)} from ${below(line.from)}`;
  return null;
}

/** Type and last name. */
function whatOf(text: string): string {
  return `${text.split(" ")[0]} ${text.slice(text.lastIndexOf("/"))}`;
}
