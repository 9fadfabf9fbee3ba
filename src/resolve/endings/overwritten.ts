// Which name a file lost by being overwritten: its nameless event stands behind the rename of the same process (fs/namei.c: vfs_rename),
// which may be at the end of the batch before. Each rename overwrites one file at most.
import * as fan from "../../decode/fan.ts";
import { entryPlaces } from "../entry.ts";
import type { Filesystem } from "../filesystems/filesystem.ts";
import { NOT_FOUND } from "../filesystems/tree.ts";
import { entryKey, objectKey } from "../keys.ts";
import { NO_PLACES, type Place } from "../watch.ts";
import { ObjectRows, sameObject } from "./object-rows.ts";
import { isFileRename, isOn, linkProcesses } from "./orphans.ts";

type Batch = fan.EventBatch;

/** Rows at a batch's end among which each process's last event is looked for. */
const LAST_ROWS = 64;
const START_ROWS = 1024;

/** The name that a file rename gave, which another file may have had until then. */
export interface Target {
  fs: Filesystem;
  places: readonly Place[];
  name: Uint8Array;
  /** Key of the file that has it now: its own events aren't the other one's. */
  moved: string;
  /** The name as an entry (keys.ts). */
  entry: string;
  /** The rename's row; BEFORE where it was the process's last event in the batch before. */
  row: number;
}

const BEFORE = -1;

export class Overwritten {
  readonly renames = new ObjectRows();
  /** Of each process the rename that was its last event in the batch before. */
  private lastTargets = new Map<number, Target>();
  /** By row: the row of the same process's event before it; only where a rename may have overwritten something. */
  private previous = new Int32Array(START_ROWS);
  /** Renames of this batch whose overwritten file was found. */
  private readonly spent = new Set<number>();

  begin(batch: Batch): void {
    this.spent.clear();
    if (batch.count > this.previous.length) this.previous = new Int32Array(batch.count * 2);
    this.renames.begin(batch, isFileRename);
    if (this.mayBe) linkProcesses(batch, this.previous);
  }

  /** Remembers the renames at the end of the batch: the file that one overwrote may be told in the next. */
  end(batch: Batch, fsOf: (i: number) => Filesystem | null): void {
    this.lastTargets = new Map();
    const seen = new Set<number>();
    for (let i = batch.count - 1; i >= Math.max(0, batch.count - LAST_ROWS); i--) {
      const number = batch.get(i, fan.NUMBER);
      if (seen.has(number)) continue;
      seen.add(number);
      const fs = fsOf(i);
      if (fs !== null && this.isUnspent(batch, i))
        this.lastTargets.set(number, targetOf(fs, batch, i, BEFORE));
    }
  }

  /** The row of the rename of another file that is the process's event right before this nameless one; -1 for none. */
  renameBefore(batch: Batch, i: number): number {
    const before = this.mayBe ? this.previous[i]! : -1;
    if (before < 0 || !this.isUnspent(batch, before) || sameObject(batch, before, i)) return -1;
    return before;
  }

  /** Whether a rename by the process of a nameless event may have taken this entry from its file. */
  mayHaveTaken(batch: Batch, i: number, entry: string): boolean {
    if (!this.mayBe) return false;
    for (let row = this.previous[i]!; row >= 0; row = this.previous[row]!) {
      if (!this.isUnspent(batch, row) || sameObject(batch, row, i)) continue;
      if (entryKey(batch, row, fan.NEW_DIR_AT) === entry) return true;
    }
    return this.lastTargets.get(batch.get(i, fan.NUMBER))?.entry === entry;
  }

  /**
   * What the file of a nameless event may have been overwritten under; null where no rename says so.
   *
   * @param adjacent only the rename that is the process's event right before. Otherwise its last one, which another thread's event may
   *   have come behind
   */
  find(fs: Filesystem, batch: Batch, i: number, adjacent: boolean): Target | null {
    if (!this.mayBe) return null;
    for (let row = this.previous[i]!; row >= 0; row = this.previous[row]!) {
      // From its own renaming on it had the name that this gave it.
      if (isFileRename(batch, row) && sameObject(batch, row, i)) return null;
      if (this.isUnspent(batch, row)) return isOn(fs, batch, row) ? targetOf(fs, batch, row, row) : null;
      if (adjacent) return null;
    }
    const target = this.lastTargets.get(batch.get(i, fan.NUMBER));
    return target === undefined || target.fs !== fs || target.moved === objectKey(fs, batch, i)
      ? null
      : target;
  }

  /** The file that a process's rename overwrote is found. */
  spend(batch: Batch, i: number, target: Target): void {
    if (target.row === BEFORE) this.lastTargets.delete(batch.get(i, fan.NUMBER));
    else this.spent.add(target.row);
  }

  private get mayBe(): boolean {
    return !this.renames.empty || this.lastTargets.size > 0;
  }

  private isUnspent(batch: Batch, i: number): boolean {
    return isFileRename(batch, i) && !this.spent.has(i);
  }
}

function targetOf(fs: Filesystem, batch: Batch, i: number, row: number): Target {
  const node = fs.tree.find(batch.bytes, batch.get(i, fan.NEW_DIR_AT));
  const nameAt = batch.get(i, fan.NEW_NAME_AT);
  const nameBytes = batch.get(i, fan.NEW_NAME_BYTES);
  const places =
    node === NOT_FOUND ? NO_PLACES : entryPlaces(fs.placesOf(node), batch.bytes, nameAt, nameBytes);
  return {
    fs,
    places,
    name: Uint8Array.from(batch.bytes.subarray(nameAt, nameAt + nameBytes)),
    moved: objectKey(fs, batch, i),
    entry: entryKey(batch, i, fan.NEW_DIR_AT),
    row,
  };
}
