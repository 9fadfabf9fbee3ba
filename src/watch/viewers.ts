// What becomes of the lines of a watch: rows for a person, or the log's own lines for a program. Lines go in, text goes to an outlet
// at the pace of its reader.
import type { EventRows } from "../show/rows.ts";
import { Fold } from "./fold.ts";
import type { WantedLines } from "./wanted.ts";
import type { ViewedLine, Viewer } from "./watch.ts";

export interface Outlet {
  /** Resolves once all is written; false when nobody reads any more. */
  write(text: string): Promise<boolean>;
  /** Asks without writing. */
  isAbandoned(): boolean;
  note(sentence: string): void;
}

/** A reader is given so much at a time. */
const TEXT_MAX_CHARACTERS = 64 * 1024;
/** Nobody reads the rest of so much that came at once; the newest of it are still worth a look. */
const UNREAD_MAX_BYTES = 8 * 1024 * 1024;
const UNREAD_KEPT_BYTES = 256 * 1024;
/** Events that may be met a second time, in the log of another managed path: of twice two blocks at least. */
const TOLD_MAX = 20_000;

/** The log's own lines, each as it stands there. */
export class RawViewer implements Viewer {
  constructor(
    private readonly wanted: WantedLines,
    private readonly outlet: Outlet,
  ) {}

  async show(lines: readonly ViewedLine[]): Promise<boolean> {
    let text = "";
    for (const line of lines) {
      if (this.wanted.wants(line.keys)) text += line.text;
      if (text.length < TEXT_MAX_CHARACTERS) continue;
      if (!(await this.outlet.write(text))) return false;
      text = "";
    }
    return text === "" || this.outlet.write(text);
  }

  async idle(): Promise<boolean> {
    return !this.outlet.isAbandoned();
  }

  limit(waitingBytes: number): number {
    return waitingBytes;
  }

  passedOver(): void {}

  note(sentence: string): void {
    this.outlet.note(sentence);
  }
}

/** Aligned rows; on a terminal, what comes too fast is folded. */
export class RowViewer implements Viewer {
  private readonly wanted: WantedLines;
  private readonly outlet: Outlet;
  private readonly rows: EventRows;
  private readonly fold: Fold | null;
  /** Managed paths lie one below the other, so that events come twice. */
  private readonly nested: () => boolean;
  private told = new Set<string>();
  private toldBefore = new Set<string>();
  private saidSo = false;
  private live = false;

  constructor(wanted: WantedLines, outlet: Outlet, rows: EventRows, folding: boolean, nested: () => boolean) {
    this.wanted = wanted;
    this.outlet = outlet;
    this.rows = rows;
    this.fold = folding ? new Fold(rows, performance.now()) : null;
    this.nested = nested;
  }

  async show(lines: readonly ViewedLine[]): Promise<boolean> {
    let text = "";
    const nested = this.nested();
    // The past that was asked for is shown line by line: it doesn't run away.
    const fold = this.live ? this.fold : null;
    const nowMs = performance.now();
    for (const line of lines) {
      // That the log goes on in a further segment is news for programs only.
      if (line.keys.state === "continued" || !this.wanted.wants(line.keys)) continue;
      if (nested && this.wasTold(line)) continue;
      text += fold === null ? this.rows.row(line.keys, line.timeMs) : fold.add(line.keys, line.timeMs, nowMs);
      if (text.length < TEXT_MAX_CHARACTERS) continue;
      if (!(await this.outlet.write(text))) return false;
      text = "";
    }
    text += fold?.tick(nowMs) ?? "";
    this.say();
    return text === "" || this.outlet.write(text);
  }

  async idle(): Promise<boolean> {
    this.live = true;
    const text = this.fold?.tick(performance.now()) ?? "";
    if (text !== "" && !(await this.outlet.write(text))) return false;
    return !this.outlet.isAbandoned();
  }

  /** What is still folded at the end. */
  async end(): Promise<void> {
    const text = this.fold?.tick(Number.POSITIVE_INFINITY) ?? "";
    if (text !== "") await this.outlet.write(text);
  }

  limit(waitingBytes: number): number {
    // With filters, what is passed over might be the very event that somebody waits for.
    const passes = this.live && this.fold !== null && this.wanted.all && waitingBytes > UNREAD_MAX_BYTES;
    return passes ? UNREAD_KEPT_BYTES : waitingBytes;
  }

  passedOver(lines: number): void {
    this.fold?.passOver(lines);
  }

  note(sentence: string): void {
    this.outlet.note(sentence);
  }

  private say(): void {
    if (this.saidSo || this.fold?.holds !== true) return;
    this.saidSo = true;
    this.outlet.note(
      "Faster than a person reads: repeats are folded, with their number (a pipe or --json gets each)",
    );
  }

  private wasTold({ keys }: ViewedLine): boolean {
    const { time, event_type, path, pid, from, to, monitored_path } = keys;
    const event = [time, event_type, path, pid, from, to].map(String).join("\0");
    const here = `${event}\0${String(monitored_path)}`;
    const knows = (key: string) => this.told.has(key) || this.toldBefore.has(key);
    const told = knows(event) && !knows(here);
    if (this.told.size > TOLD_MAX) {
      this.toldBefore = this.told;
      this.told = new Set();
    }
    this.told.add(event).add(here);
    return told;
  }
}
