// The strongest test of a log: its CREATE, DELETE and MOVED lines, applied in order to the tree as it was before, must give the tree as it is now. The model
// holds a whole filesystem, so that what is moved in from outside the managed path brings its contents along and what is moved out takes them away.
// Paths are byte strings (latin1, one character a byte). A line that says `merged` excuses its own paths and nothing else.
import { lstatSync, readdirSync } from "node:fs";
import type { LogLine } from "./daemon.ts";

interface Entry {
  directory: boolean;
  /** Known for what was there at the beginning; null for what the log says was made. */
  inode: number | null;
  children: Map<string, Entry>;
}

/** The exact bytes of what isn't UTF-8. */
interface ExactLine extends LogLine {
  from_b64?: string;
  to_b64?: string;
}

interface Move {
  from: string;
  to: string;
  exchange: boolean;
  line: ExactLine;
}

export class TreeModel {
  private readonly top: Entry;
  /** Lines that could not be applied as they stand: something came before that the log doesn't tell, or never happened. */
  readonly oddities: string[] = [];
  /** Paths of lines that say `merged`. */
  readonly doubtful = new Set<string>();
  /** Exchanges of which one record of two was applied. */
  private readonly halves = new Set<string>();
  /** What has left and not come yet. */
  private readonly underWay = new Map<string, Entry>();
  private history: ExactLine[] = [];

  private constructor(
    readonly root: string,
    top: Entry,
  ) {
    this.top = top;
  }

  /** The tree below a directory as it is on the disk now. */
  static of(root: string): TreeModel {
    return new TreeModel(root, readEntry(Buffer.from(root)));
  }

  /** Applies the lines of one managed path. */
  replay(lines: readonly ExactLine[]): this {
    this.history = this.history.concat(lines);
    for (const [i, line] of lines.entries()) {
      if (line.merged === true) for (const path of pathsOf(line)) this.doubtful.add(path);
      if (line.event_type === "CREATE") this.create(line);
      else if (line.event_type === "DELETE") this.remove(line);
      else if (line.event_type === "MOVED_TO") this.move(moveOf(line));
      else if (line.event_type === "MOVED_FROM") this.leave(line, lines, i + 1);
    }
    return this;
  }

  /** Where model and disk differ now, one line a path; what `merged` excuses is left out. */
  differences(): string[] {
    const out: string[] = [];
    compare(this.root, this.top, readEntry(Buffer.from(this.root)), out);
    return out.filter((text) => !this.isDoubtful(text.slice(text.indexOf("/"))));
  }

  /** @throws with the first differences and the lines that speak of those names */
  check(what: string): void {
    const found = [
      ...this.differences(),
      ...this.oddities.filter((text) => !this.isDoubtful(text.slice(text.indexOf("/")))),
    ];
    if (found.length === 0) return;
    const shown = found.slice(0, 12).map((text) => `${text}\n${this.linesAbout(text)}`);
    throw new Error(
      `${what}: replaying the log gives another tree (${found.length} findings)\n${shown.join("\n")}`,
    );
  }

  private create(line: ExactLine): void {
    const path = bytesOf(line.path, line.path_b64);
    const parent = this.parentOf(path, line);
    if (parent === null) return;
    const name = baseName(path);
    if (parent.children.has(name)) this.odd("made, but it is there already:", path);
    parent.children.set(name, { directory: line.dir === true, inode: null, children: new Map() });
  }

  private remove(line: ExactLine): void {
    const path = bytesOf(line.path, line.path_b64);
    const parent = this.parentOf(path, line);
    const entry = parent?.children.get(baseName(path));
    if (parent === null) return;
    if (entry === undefined) this.odd("removed, but it isn't there:", path);
    else if (entry.directory !== (line.dir === true)) this.odd("removed as another kind:", path);
    else if (entry.children.size > 0) this.odd(`removed, but ${entry.children.size} are in it:`, path);
    parent.children.delete(baseName(path));
  }

  /** A MOVED_FROM: its MOVED_TO moves it, or else it was moved out. After a loss it may have left long before it comes. */
  private leave(line: ExactLine, lines: readonly ExactLine[], next: number): void {
    const comes = lines[next];
    if (comes !== undefined && isOther(line, comes)) return;
    const move = moveOf(line);
    if (line.origin !== "scan" || !lines.slice(next).some((later) => isOther(line, later))) {
      this.move(move);
      return;
    }
    const parent = this.parentOf(move.from, line);
    const left = parent?.children.get(baseName(move.from));
    if (left === undefined) this.odd("moved away, but it isn't there:", move.from);
    else this.underWay.set(`${move.from}\0${move.to}`, left);
    parent?.children.delete(baseName(move.from));
  }

  private move(move: Move): void {
    const key = `${move.from}\0${move.to}`;
    const left = this.underWay.get(key);
    if (left !== undefined) {
      this.underWay.delete(key);
      const parent = this.parentOf(move.to, move.line);
      if (parent?.children.has(baseName(move.to))) this.odd("overwritten:", move.to);
      parent?.children.set(baseName(move.to), left);
      return;
    }
    if (move.exchange) {
      if (this.halves.delete(`${move.to}\0${move.from}`)) return;
      this.halves.add(`${move.from}\0${move.to}`);
    }
    if (move.to === "") {
      this.moveOut(move);
      return;
    }
    // What comes from where nobody knows is not known to be where it goes to either.
    if (this.isDoubtful(move.from) || this.isDoubtful(move.to)) this.doubtful.add(move.from).add(move.to);
    this.carryDoubt(move.from, move.to);
    if (move.exchange) this.carryDoubt(move.to, move.from);
    const fromParent = this.parentOf(move.from, move.line);
    const toParent = this.parentOf(move.to, move.line);
    if (fromParent === null || toParent === null) return;
    const fromName = baseName(move.from);
    const toName = baseName(move.to);
    const moved = fromParent.children.get(fromName);
    const victim = toParent.children.get(toName);
    if (moved === undefined) {
      this.odd("moved away, but it isn't there:", move.from);
      return;
    }
    if (moved.directory !== (move.line.dir === true)) this.odd("moved as another kind:", move.from);
    toParent.children.set(toName, moved);
    if (move.exchange) {
      if (victim === undefined) {
        this.odd("exchanged with what isn't there:", move.to);
        fromParent.children.delete(fromName);
      } else fromParent.children.set(fromName, victim);
      return;
    }
    fromParent.children.delete(fromName);
    if (victim === undefined) return;
    if (victim.directory !== moved.directory) this.odd("overwritten by another kind:", move.to);
    else if (victim.children.size > 0)
      this.odd(`overwritten, but ${victim.children.size} are in it:`, move.to);
  }

  /** To where nothing is marked, or was not yet: what is found there is told again, with all that is in it. */
  private moveOut({ from, line }: Move): void {
    const parent = this.parentOf(from, line);
    if (parent?.children.delete(baseName(from)) === false) this.odd("moved away, but it isn't there:", from);
  }

  /** What isn't known of a directory's entries isn't known of them where it is moved to. */
  private carryDoubt(from: string, to: string): void {
    for (const path of [...this.doubtful])
      if (path.startsWith(`${from}/`)) this.doubtful.add(to + path.slice(from.length));
  }

  private parentOf(path: string, line: ExactLine): Entry | null {
    if (!path.startsWith(`${this.root}/`)) {
      this.odd(`${line.event_type} outside of everything:`, path);
      return null;
    }
    let at = this.top;
    for (const name of path
      .slice(this.root.length + 1)
      .split("/")
      .slice(0, -1)) {
      const next = at.children.get(name);
      if (next === undefined) {
        this.odd(`${line.event_type} in a directory ("${name}") that isn't there:`, path);
        return null;
      }
      at = next;
    }
    return at;
  }

  private odd(what: string, path: string): void {
    if (!this.isDoubtful(path)) this.oddities.push(`${what} ${path}`);
  }

  private isDoubtful(path: string): boolean {
    if (this.doubtful.size === 0) return false;
    for (let end = path.length; end > 0; end = path.lastIndexOf("/", end - 1)) {
      if (this.doubtful.has(path.slice(0, end))) return true;
    }
    return false;
  }

  private linesAbout(finding: string): string {
    const path = finding.slice(finding.indexOf("/"));
    const about = this.history.filter((line) => pathsOf(line).includes(path));
    return about
      .slice(-8)
      .map((line) => {
        const ends = [
          line.to === undefined ? "" : ` to ${line.to}`,
          line.from === undefined ? "" : ` from ${line.from}`,
        ];
        return `    ${line.time} ${line.cmd}[${line.pid}] ${line.event_type} ${line.path}${ends.join("")}${line.merged ? " merged" : ""}`;
      })
      .join("\n");
  }
}

/** Exact bytes of a path, as latin1. */
export function bytesOf(text: string, base64: string | undefined): string {
  return base64 === undefined
    ? Buffer.from(text).toString("latin1")
    : Buffer.from(base64, "base64").toString("latin1");
}

function pathsOf(line: ExactLine): string[] {
  const paths = [bytesOf(line.path, line.path_b64)];
  if (line.from !== undefined) paths.push(bytesOf(line.from, line.from_b64));
  if (line.to !== undefined) paths.push(bytesOf(line.to, line.to_b64));
  return paths;
}

function moveOf(line: ExactLine): Move {
  const here = bytesOf(line.path, line.path_b64);
  const exchange = line.exchange === true;
  if (line.event_type === "MOVED_FROM") return { from: here, to: otherEnd(line, "to"), exchange, line };
  return { from: otherEnd(line, "from"), to: here, exchange, line };
}

function otherEnd(line: ExactLine, key: "from" | "to"): string {
  const text = line[key];
  return text === undefined ? "" : bytesOf(text, line[`${key}_b64`]);
}

/** Whether a MOVED_TO is the other half of this MOVED_FROM. */
function isOther(from: ExactLine, to: ExactLine): boolean {
  return to.event_type === "MOVED_TO" && from.pid === to.pid && from.to === to.path && to.from === from.path;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function readEntry(path: Buffer): Entry {
  const stat = lstatSync(path);
  const entry: Entry = { directory: stat.isDirectory(), inode: stat.ino, children: new Map() };
  if (!entry.directory) return entry;
  for (const name of readdirSync(path, { encoding: "buffer" })) {
    entry.children.set(name.toString("latin1"), readEntry(Buffer.concat([path, Buffer.from("/"), name])));
  }
  return entry;
}

function compare(path: string, model: Entry, disk: Entry, out: string[]): void {
  if (model.directory !== disk.directory)
    out.push(`${model.directory ? "a file" : "a directory"} on the disk: ${path}`);
  else if (model.inode !== null && model.inode !== disk.inode)
    out.push(`another object on the disk: ${path}`);
  for (const [name, entry] of model.children) {
    const there = disk.children.get(name);
    if (there === undefined) out.push(`in the log alone: ${path}/${name}`);
    else compare(`${path}/${name}`, entry, there, out);
  }
  for (const name of disk.children.keys()) {
    if (!model.children.has(name)) out.push(`on the disk alone: ${path}/${name}`);
  }
}
