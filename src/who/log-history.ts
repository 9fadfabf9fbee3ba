// One log from its newest line to its oldest, over all its segments, packed ones included. A snapshot's files go in, found lines
// come out newest first. Times never go back within a segment; a segment after a clock set back may begin before the last ended.
import { firstLineAt } from "../query/bisect.ts";
import { PackedInput } from "../query/packed.ts";
import type { SnapshotFile } from "../query/snapshot.ts";
import { headOf } from "../query/sorted-files.ts";
import { spoolInput } from "../query/spool.ts";
import { BackwardFile, type FoundLine } from "./backward.ts";

export class LogHistory {
  /** Null once there is none left. */
  head: FoundLine | null = null;
  readonly managedPath: string;
  /** Oldest first; the last one is next. */
  private readonly all: readonly SnapshotFile[];
  private files: SnapshotFile[];
  private beforeMs: number;
  private readonly onPassed: (timeMs: number) => void;
  private readonly onUnreadable: (file: SnapshotFile, error: unknown) => void;
  private current: BackwardFile | null = null;
  private release: () => void = () => {};

  /**
   * @param beforeMs only lines before this moment; Infinity for all
   * @param onPassed told when a segment holds nothing more; the time is its first line's
   * @param onUnreadable told of a segment that can't be read or unpacked
   */
  constructor(
    managedPath: string,
    files: readonly SnapshotFile[],
    beforeMs: number,
    onPassed: (timeMs: number) => void,
    onUnreadable: (file: SnapshotFile, error: unknown) => void,
  ) {
    this.managedPath = managedPath;
    this.all = files;
    this.files = [...files];
    this.beforeMs = beforeMs;
    this.onPassed = onPassed;
    this.onUnreadable = onUnreadable;
  }

  /**
   * Loads the next older line that holds a needle into `head`.
   *
   * @param floorMs older lines aren't wanted: it stops where they begin
   */
  async advance(needles: readonly Buffer[], floorMs: number): Promise<void> {
    for (;;) {
      this.head = this.current?.next(needles, floorMs) ?? null;
      if (this.head !== null && this.head.timeMs >= this.beforeMs) continue;
      if (this.head !== null) return;
      if (this.current?.reachesBefore(floorMs) === true) this.files.length = 0;
      const beganMs = this.current?.beganMs ?? Number.NaN;
      if (!Number.isNaN(beganMs)) this.onPassed(beganMs);
      this.close();
      const file = this.files.pop();
      if (file === undefined) return;
      try {
        this.current = await this.open(file);
      } catch (error) {
        this.onUnreadable(file, error);
      }
    }
  }

  /** The needles are others, and the head was taken: what is older is searched by them. */
  async searchOn(needles: readonly Buffer[], floorMs: number): Promise<void> {
    this.current?.searchAnew();
    await this.advance(needles, floorMs);
  }

  /** The needles are others: everything before a moment is searched by them, though it was passed over already. */
  async searchFrom(beforeMs: number, needles: readonly Buffer[], floorMs: number): Promise<void> {
    if (this.head !== null && this.current?.takeBack() === true) {
      await this.advance(needles, floorMs);
      return;
    }
    this.close();
    this.files = [...this.all];
    this.beforeMs = Math.min(this.beforeMs, beforeMs);
    await this.advance(needles, floorMs);
  }

  close(): void {
    this.current = null;
    this.release();
    this.release = () => {};
  }

  private async open(file: SnapshotFile): Promise<BackwardFile | null> {
    const fd = file.fd();
    if (fd === null) return null;
    if (file.packing === null) {
      this.release = () => file.release();
      const end = Number.isFinite(this.beforeMs)
        ? firstLineAt(fd, file.end, this.beforeMs)?.start
        : undefined;
      return new BackwardFile(fd, end ?? file.end);
    }
    if (headOf(file).timeMs >= this.beforeMs) return null;
    // Packed bytes can only be read forwards: unpacked into a temporary file that has no name.
    let damage: unknown = null;
    const plain = await spoolInput(
      new PackedInput(fd, file.packing, () => file.release()),
      () => {},
      (error) => {
        damage = error;
      },
    );
    if (damage !== null) this.onUnreadable(file, damage);
    this.release = () => plain.close();
    return new BackwardFile(plain.file(), plain.sizeBytes);
  }
}
