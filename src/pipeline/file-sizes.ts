// Sizes of a batch's files: all by one call, under the names they had. A file that has another name by now, in an event that
// isn't read yet, is asked for once more by its handle.
import { sizeOfHandle } from "../kernel/handles.ts";
import { SizeBatch } from "../kernel/sizes.ts";
import type { Filesystem } from "../resolve/filesystem.ts";
import type { Occurrence } from "../resolve/occurrence.ts";

/** Lends a descriptor on a filesystem for one call. */
export type WithMount = <T>(fs: Filesystem, work: (mountFd: number) => T, otherwise: T) => T;

export class FileSizes {
  private readonly batch = new SizeBatch();

  constructor(private readonly withMount: WithMount) {}

  clear(): void {
    this.batch.clear();
  }

  /** Hot. The size of this occurrence's file will be wanted. */
  ask(one: Occurrence): void {
    if (one.sizeIndex >= 0) return;
    const now = one.renamedTo ?? one;
    if (now.sizeIndex < 0) {
      now.sizeIndex = this.batch.add(now.places[0]!.path, now.bytes, now.nameAt, now.nameBytes);
    }
    one.sizeIndex = now.sizeIndex;
  }

  /** Asks the kernel for everything that was asked for. */
  run(): void {
    this.batch.run();
  }

  /** Bytes; -1 for what wasn't asked for, is gone, or can't be asked. */
  of(one: Occurrence): number {
    if (one.sizeIndex < 0) return -1;
    const size = this.batch.sizeAt(one.sizeIndex);
    if (size >= 0 || one.objectAt < 0 || one.filesystem === null) return size;
    const handle = one.bytes.subarray(one.objectAt, one.objectAt + one.objectBytes);
    return this.withMount(one.filesystem, (mountFd) => sizeOfHandle(mountFd, handle), -1);
  }
}
