// What one process made and removed before anybody read: the kernel merges CREATE and DELETE into one event at the place of the
// CREATE. The DELETE waits here until it may be told: a directory's until the last event inside, a file's until its death, which
// the queue has in its own place; and in any case until something needs the name to be free.
import { DIR_AT, type EventBatch, MASK, NEW_DIR_AT, OBJECT_AT } from "../../decode/fan.ts";
import { FAN_CREATE, FAN_DELETE, FAN_DELETE_SELF } from "../../kernel/abi.ts";
import type { Filesystem } from "../filesystems/filesystem.ts";
import { NOT_FOUND } from "../filesystems/tree.ts";
import type { Place } from "../watch.ts";

export interface Brief {
  fs: Filesystem;
  /** NOT_FOUND for a file. */
  node: number;
  /** Directory that held it, and its name there. */
  parent: number;
  name: Uint8Array;
  /** Of its handle (keys.ts). */
  key: string;
  pid: number;
  /** Places of its entry; none when nobody wants to know. */
  places: readonly Place[];
}

interface Held extends Brief {
  /** Row of the last event inside; infinite while events inside may still be queued. */
  due: number;
  /** Held directories right below it: they end first. */
  below: number;
}

export class BriefLives {
  private readonly byName = new Map<string, Held>();
  private readonly byNode = new Map<string, Held>();
  /** Files, by their handle. */
  private readonly byKey = new Map<string, Held>();
  /** What becomes due with which row. */
  private readonly dueRows = new Map<number, Held[]>();
  /** Last row of each directory of this batch; made when the first one is held. */
  private lastRows: Map<string, number> | null = null;

  get empty(): boolean {
    return this.byName.size === 0;
  }

  beginBatch(): void {
    this.lastRows = null;
    this.dueRows.clear();
  }

  /**
   * @param row of the event that told of both its making and its removal
   * @param complete false when events inside may come with a later batch
   */
  hold(one: Brief, batch: EventBatch, row: number, complete: boolean): void {
    const due = complete ? Math.max(row, this.lastRow(batch, one.key)) : Number.POSITIVE_INFINITY;
    const held: Held = { ...one, due, below: 0 };
    this.byName.set(nameKey(one.fs, one.parent, one.name, 0, one.name.length), held);
    this.byNode.set(nodeKey(one.fs, one.node), held);
    const above = this.byNode.get(nodeKey(one.fs, one.parent));
    if (above !== undefined) above.below++;
    const same = this.dueRows.get(due);
    if (same === undefined) this.dueRows.set(due, [held]);
    else same.push(held);
  }

  /** A file, whose death comes with a later batch. */
  holdFile(one: Brief): void {
    const held: Held = { ...one, due: Number.POSITIVE_INFINITY, below: 0 };
    this.byName.set(nameKey(one.fs, one.parent, one.name, 0, one.name.length), held);
    this.byKey.set(one.key, held);
  }

  /** The file that has died now. */
  takeFile(key: string): Brief | null {
    const one = this.byKey.get(key) ?? null;
    if (one !== null) this.forget(one);
    return one;
  }

  get holdsFiles(): boolean {
    return this.byKey.size > 0;
  }

  /** Those of which everything has been told by this row, the deepest first. */
  takeDue(row: number): Brief[] {
    const due = this.dueRows.get(row);
    if (due === undefined) return [];
    this.dueRows.delete(row);
    const taken: Held[] = [];
    for (const one of due.reverse()) this.takeIfOver(one, row, taken);
    return taken;
  }

  /** The one that has this name, which something else is about to take. */
  takeNamed(fs: Filesystem, parent: number, bytes: Uint8Array, at: number, length: number): Brief | null {
    const one = this.byName.get(nameKey(fs, parent, bytes, at, length)) ?? null;
    if (one !== null) this.forget(one);
    return one;
  }

  /** Those below a directory that is about to go, the deepest first. */
  takeBelow(fs: Filesystem, node: number): Brief[] {
    return this.takeWhere((one) => one.fs === fs && isBelow(fs, one.parent, node));
  }

  /** All, the deepest first. */
  takeAll(): Brief[] {
    return this.takeWhere(() => true);
  }

  /** And then the one above it, if that waited only for this. */
  private takeIfOver(one: Held, row: number, taken: Held[]): void {
    if (one.due > row || one.below > 0 || this.byNode.get(nodeKey(one.fs, one.node)) !== one) return;
    this.forget(one);
    taken.push(one);
    const above = this.byNode.get(nodeKey(one.fs, one.parent));
    if (above !== undefined) this.takeIfOver(above, row, taken);
  }

  private forget(one: Held): void {
    this.byName.delete(nameKey(one.fs, one.parent, one.name, 0, one.name.length));
    if (one.node === NOT_FOUND) {
      this.byKey.delete(one.key);
      return;
    }
    this.byNode.delete(nodeKey(one.fs, one.node));
    const above = this.byNode.get(nodeKey(one.fs, one.parent));
    if (above !== undefined) above.below--;
  }

  /** A directory is made after the one that holds it, so the last held are the deepest. */
  private takeWhere(wanted: (one: Brief) => boolean): Brief[] {
    const taken = [...this.byName.values()].filter(wanted).reverse();
    for (const one of taken) this.forget(one);
    return taken;
  }

  private lastRow(batch: EventBatch, key: string): number {
    this.lastRows ??= lastRowsOf(batch);
    return this.lastRows.get(key.slice(key.indexOf(":") + 1)) ?? -1;
  }
}

/**
 * For each directory the last row of the batch with something that happened in it: by its handle, because a later event may have to
 * tell where it is. Another filesystem's that has the same handle makes it late at worst.
 */
function lastRowsOf(batch: EventBatch): Map<string, number> {
  const deaths = deathRowsOf(batch);
  const rows = new Map<string, number>();
  const note = (key: string, row: number) => rows.set(key, Math.max(row, rows.get(key) ?? -1));
  for (let i = 0; i < batch.count; i++) {
    for (const column of [DIR_AT, NEW_DIR_AT])
      if (batch.get(i, column) >= 0) note(handleText(batch, i, column), i);
    // The removal of a file that was made and removed within one event is told with its death (nameless.ts).
    if ((batch.get(i, MASK) & MADE_AND_REMOVED) !== MADE_AND_REMOVED || batch.get(i, OBJECT_AT) < 0) continue;
    const death = deaths.get(handleText(batch, i, OBJECT_AT));
    if (death !== undefined) note(handleText(batch, i, DIR_AT), death);
  }
  return rows;
}

const MADE_AND_REMOVED = FAN_CREATE | FAN_DELETE;

function deathRowsOf(batch: EventBatch): Map<string, number> {
  const deaths = new Map<string, number>();
  for (let i = 0; i < batch.count; i++) {
    const isDeath =
      batch.get(i, DIR_AT) < 0 &&
      batch.get(i, OBJECT_AT) >= 0 &&
      (batch.get(i, MASK) & FAN_DELETE_SELF) !== 0;
    if (isDeath) deaths.set(handleText(batch, i, OBJECT_AT), i);
  }
  return deaths;
}

/** Type and data of the handle in a column. */
function handleText(batch: EventBatch, event: number, column: number): string {
  const at = batch.get(event, column);
  return batch.bytes.toString("latin1", at + 4, at + batch.get(event, column + 1));
}

function isBelow(fs: Filesystem, from: number, node: number): boolean {
  for (let at = from, steps = fs.tree.size + 1; at >= 0 && steps > 0; at = fs.tree.parentOf(at), steps--) {
    if (at === node) return true;
  }
  return false;
}

function nodeKey(fs: Filesystem, node: number): string {
  return `${fs.id}:${node}`;
}

function nameKey(fs: Filesystem, parent: number, bytes: Uint8Array, at: number, length: number): string {
  const name = Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString("latin1");
  return `${fs.id}:${parent}/${name}`;
}
