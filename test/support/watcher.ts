import { EventBatch } from "../../src/decode/fan.ts";
import { FanotifyGroup } from "../../src/kernel/fanotify.ts";
import { DirectoryScanner } from "../../src/kernel/scan.ts";
import type { LogWriter } from "../../src/log/writer.ts";
import { Pipeline } from "../../src/pipeline/pipeline.ts";
import { Filesystems } from "../../src/resolve/filesystems/filesystems.ts";
import type { LogLine } from "./daemon.ts";
import { managedPath } from "./managed-path.ts";

/** The largest event is 656 bytes. */
const READ_BYTES_MIN = 700;

/** Before a read of the queue, behind a look at where a directory is, behind the reading of a directory. */
export type Moment = "read" | "asked" | "scanned";

export class Watcher {
  private readonly pipeline: Pipeline;
  private readonly undo: (() => void)[] = [];
  private log = new Kept();
  private root = "";
  at: (moment: Moment) => void = () => {};
  /** How many bytes one read of the queue returns at most. */
  readBytes: () => number = () => Number.POSITIVE_INFINITY;
  /** How long the reading of a directory takes. By this alone it is decided how much is scanned at a time, not by how busy the machine is. */
  scanMs: () => number = () => 0;
  private nowMs = 0;

  /** @param queueEvents beyond which the kernel drops events */
  constructor(queueEvents: number) {
    const watcher = this;
    this.pipeline = new Pipeline({
      queueEvents,
      sources: new Set(),
      logDir: "/nonexistent",
      isOurs: () => false,
      debug: null,
      onFault: (error) => {
        throw error;
      },
    });
    this.wrap(FanotifyGroup.prototype, "read", (read) => {
      return function (this: FanotifyGroup, buffer) {
        watcher.at("read");
        const bytes = Math.max(READ_BYTES_MIN, Math.min(buffer.length, watcher.readBytes()));
        return read.call(this, buffer.subarray(0, bytes));
      };
    });
    this.wrap(performance, "now", () => () => watcher.nowMs);
    this.wrap(DirectoryScanner.prototype, "scan", (scan) => {
      return function (this: DirectoryScanner, ...args) {
        const got = scan.apply(this, args);
        watcher.nowMs += watcher.scanMs();
        watcher.at("scanned");
        return got;
      };
    });
    this.wrap(Filesystems.prototype, "placeOf", (placeOf) => {
      return function (this: Filesystems, ...args) {
        const place = placeOf.apply(this, args);
        watcher.at("asked");
        return place;
      };
    });
  }

  private wrap<T extends object, K extends keyof T>(target: T, name: K, made: (before: T[K]) => T[K]): void {
    const before = target[name];
    target[name] = made(before);
    this.undo.push(() => {
      target[name] = before;
    });
  }

  /** How many bytes a full batch has; the queue must be empty. */
  fullAt(batchBytes: number): void {
    const { ahead } = this.pipeline as unknown as { ahead: { readonly batch: EventBatch } };
    const batch = new EventBatch(batchBytes);
    batch.startsAt = ahead.batch.endsAt;
    Object.assign(ahead, { batch, chunkBytes: batchBytes, scratch: null });
  }

  /** What the managed path's log has; of a GAP its reason alone. */
  get lines(): readonly LogLine[] {
    return this.log.lines;
  }

  /** Puts the directory, and all below it, under watch. */
  add(root: string): void {
    this.log = new Kept();
    this.root = root;
    const managed = managedPath(root, { recursive: true });
    this.pipeline.add(managed, () => this.log as unknown as LogWriter);
    this.hold();
  }

  remove(): void {
    this.pipeline.remove(this.root);
    this.turn();
  }

  /**
   * One turn of the pipeline: batches until the queue is empty, and a part of the scanning.
   *
   * @returns whether another one would follow by itself
   */
  turn(): boolean {
    (this.pipeline as unknown as { turn(): void }).turn();
    return this.hold();
  }

  /** Everything that was done is in the log, and every directory read, when this returns. */
  finish(): void {
    // Not by turns alone: they hold a batch in which a user's name isn't known yet.
    do this.pipeline.drain();
    while (this.turn());
  }

  /** No turn but the test's. @returns whether one was to come */
  private hold(): boolean {
    const timed = this.pipeline as unknown as { cancelTurn: (() => void) | null };
    const isDue = timed.cancelTurn !== null;
    timed.cancelTurn?.();
    timed.cancelTurn = null;
    return isDue;
  }

  close(): void {
    for (const one of this.undo.reverse()) one();
    this.pipeline.stop();
  }
}

/** What the pipeline needs of a log (LogWriter). */
class Kept {
  readonly path = "/nonexistent";
  readonly incompleteSinceMs = null;
  readonly lines: LogLine[] = [];

  append(bytes: Buffer, length: number): void {
    for (const line of bytes.toString("utf8", 0, length).split("\n").slice(0, -1))
      this.lines.push(JSON.parse(line) as LogLine);
  }

  gap({ reason }: { reason: string }): void {
    this.lines.push({ event_type: "GAP", reason, path: "" } as LogLine);
  }

  watch(): void {}
}
