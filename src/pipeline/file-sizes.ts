// Sizes of a batch's files: all by one call, under the names they had. A file that has another name by now, in an event that
// isn't read yet, is asked for once more by its handle; so is one that was renamed in this batch.
import { handleOf, timesOfHandle } from "../kernel/handles.ts";
import { SizeBatch } from "../kernel/sizes.ts";
import type { Filesystem } from "../resolve/filesystems/filesystem.ts";
import type { Occurrence } from "../resolve/occurrence.ts";

/** Lends a descriptor on a filesystem for one call. */
export type WithMount = <T>(fs: Filesystem, work: (mountFd: number) => T, otherwise: T) => T;

const SLASH = Buffer.from("/");

export class FileSizes {
  private readonly batch = new SizeBatch();
  /** Of filesystems whose server may hang. */
  private readonly guarded = new Map<Filesystem, SizeBatch>();
  private readonly asked: Occurrence[] = [];
  /** Sizes found by handle, by the index that the batch gave. */
  private readonly byHandle = new Map<number, number>();
  /** Linked and unlinked within one event, and the name is another file's now: the indexes that the batch gave. */
  private readonly replaced = new Set<number>();

  constructor(private readonly withMount: WithMount) {}

  clear(): void {
    this.batch.clear();
    if (this.guarded.size > 0) this.guarded.clear();
    this.asked.length = 0;
    this.byHandle.clear();
    this.replaced.clear();
  }

  /** Hot. The size of this occurrence's file will be wanted. */
  ask(one: Occurrence): void {
    if (one.sizeIndex >= 0) return;
    const now = one.renamedTo ?? one;
    if (now.sizeIndex < 0) {
      now.sizeIndex = this.batchOf(now).add(now.places[0]!.path, now.bytes, now.nameAt, now.nameBytes);
      this.asked.push(now);
    }
    one.sizeIndex = now.sizeIndex;
  }

  /** Asks the kernel for everything that was asked for. */
  run(): void {
    this.batch.run();
    for (const batch of this.guarded.values()) batch.run();
    const missing = new Map<Filesystem, Occurrence[]>();
    for (const one of this.asked) {
      // A name that a rename gave may be another file's by now.
      if (one.filesystem?.probe != null) continue;
      if (this.isReplaced(one)) this.replaced.add(one.sizeIndex);
      const doubtful = one.moved || this.batch.sizeAt(one.sizeIndex) < 0 || this.replaced.has(one.sizeIndex);
      if (!doubtful || one.objectAt < 0 || one.filesystem === null) continue;
      const here = missing.get(one.filesystem);
      if (here === undefined) missing.set(one.filesystem, [one]);
      else here.push(one);
    }
    for (const [fs, occurrences] of missing)
      this.withMount(fs, (mountFd) => this.askHandles(mountFd, occurrences), null);
  }

  /** Bytes; -1 for what wasn't asked for, is gone, or can't be asked. */
  of(one: Occurrence): number {
    if (one.sizeIndex < 0) return -1;
    const batch = this.batchOf(one);
    if (batch !== this.batch) return batch.sizeAt(one.sizeIndex);
    const otherwise = this.replaced.has(one.sizeIndex) ? -1 : batch.sizeAt(one.sizeIndex);
    return this.byHandle.get(one.sizeIndex) ?? otherwise;
  }

  /** Whether the name stood for this file when it was asked for; a size may have been found by the handle, under another name. */
  isThere(one: Occurrence): boolean {
    if (one.sizeIndex < 0 || one.renamedTo !== null || this.replaced.has(one.sizeIndex)) return false;
    return this.batchOf(one).sizeAt(one.sizeIndex) >= 0;
  }

  /** A file that was made, removed while it was open or linked elsewhere, and made anew (lock files): the name is the new one's. */
  private isReplaced(one: Occurrence): boolean {
    const { bytes, objectAt, objectBytes, filesystem } = one;
    if (!one.unlinked || filesystem === null || filesystem.inodeMarks !== null || objectAt < 0) return false;
    if (this.batch.sizeAt(one.sizeIndex) < 0) return false;
    const name = bytes.subarray(one.nameAt, one.nameAt + one.nameBytes);
    const now = handleOf(Buffer.concat([one.places[0]!.path, SLASH, name]));
    // What can't be asked is taken for the same.
    return (
      typeof now !== "number" && Buffer.compare(now, bytes.subarray(objectAt, objectAt + objectBytes)) !== 0
    );
  }

  private batchOf({ filesystem }: Occurrence): SizeBatch {
    if (filesystem === null || filesystem.probe === null) return this.batch;
    let batch = this.guarded.get(filesystem);
    if (batch === undefined) {
      batch = new SizeBatch(filesystem.probe);
      this.guarded.set(filesystem, batch);
    }
    return batch;
  }

  private askHandles(mountFd: number, occurrences: readonly Occurrence[]): null {
    for (const { bytes, objectAt, objectBytes, sizeIndex } of occurrences) {
      const size = timesOfHandle(mountFd, bytes.subarray(objectAt, objectAt + objectBytes))?.sizeBytes ?? -1;
      if (size >= 0) this.byHandle.set(sizeIndex, size);
    }
    return null;
  }
}
