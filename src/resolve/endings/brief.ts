// What one process made and removed before anybody read: the kernel merges CREATE and DELETE into one event at the place of the
// CREATE. The DELETE waits here until it may be told: a directory's until the last event inside, a file's until its death, which
// the queue has in its own place; and in any case until something needs the name to be free.
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
  /** The process's number, whoever had it. */
  number: number;
  /** Places of its entry; none when nobody wants to know. */
  places: readonly Place[];
}

export interface Held extends Brief {
  /** Place in the queue of the last event inside (last-places.ts); a file's isn't known. */
  due: number;
  /** Held directories right below it: they end first. */
  below: number;
  /** A rename took the file itself away from this name: the name is free without its removal. */
  vacated: boolean;
}

export class BriefLives {
  private readonly byName = new Map<string, Held>();
  private readonly byNode = new Map<string, Held>();
  /** Files, by their handle; several where one had several names. */
  private readonly byKey = new Map<string, Held[]>();
  /** Files, by the directory that holds them. */
  private readonly byParent = new Map<string, Set<Held>>();
  /** What becomes due at which place. */
  private readonly duePlaces = new Map<number, Held[]>();

  get empty(): boolean {
    return this.byName.size === 0;
  }

  /** @param due place of the last event inside, or of the one that told of both its making and its removal */
  hold(one: Brief, due: number): void {
    const held: Held = { ...one, due, below: 0, vacated: false };
    this.byName.set(nameKey(one.fs, one.parent, one.name, 0, one.name.length), held);
    this.byNode.set(nodeKey(one.fs, one.node), held);
    const above = this.byNode.get(nodeKey(one.fs, one.parent));
    if (above !== undefined) above.below++;
    const same = this.duePlaces.get(due);
    if (same === undefined) this.duePlaces.set(due, [held]);
    else same.push(held);
  }

  /** A file, whose death comes with a later batch. */
  holdFile(one: Brief): void {
    const held: Held = { ...one, due: Number.POSITIVE_INFINITY, below: 0, vacated: false };
    this.byName.set(nameKey(one.fs, one.parent, one.name, 0, one.name.length), held);
    const same = this.byKey.get(one.key);
    if (same === undefined) this.byKey.set(one.key, [held]);
    else same.push(held);
    const parent = nodeKey(one.fs, one.parent);
    const others = this.byParent.get(parent);
    if (others === undefined) this.byParent.set(parent, new Set([held]));
    else others.add(held);
  }

  namesOf(key: string): readonly Brief[] {
    return this.byKey.get(key) ?? [];
  }

  /** The names of a file that are gone by now. */
  takeFile(key: string): Held[] {
    const names = [...(this.byKey.get(key) ?? [])];
    for (const one of names) this.forget(one);
    return names;
  }

  /** The files right in a directory that is about to go. */
  takeFilesIn(fs: Filesystem, node: number): Held[] {
    const files = [...(this.byParent.get(nodeKey(fs, node)) ?? [])];
    for (const one of files) this.forget(one);
    return files;
  }

  get holdsFiles(): boolean {
    return this.byKey.size > 0;
  }

  /** Those of which everything has been told up to this place, the deepest first. */
  takeDue(place: number): Held[] {
    const due = this.duePlaces.get(place);
    if (due === undefined) return [];
    this.duePlaces.delete(place);
    const taken: Held[] = [];
    for (const one of due.reverse()) this.takeIfOver(one, place, taken);
    return taken;
  }

  /**
   * The one that has this name, which something else is about to take.
   *
   * @param key of what takes it
   */
  takeNamed(
    fs: Filesystem,
    parent: number,
    bytes: Uint8Array,
    at: number,
    length: number,
    key: () => string,
  ): Held | null {
    const one = this.byName.get(nameKey(fs, parent, bytes, at, length));
    if (one === undefined) return null;
    if (!one.vacated) {
      this.forget(one);
      return one;
    }
    // Until it is back, others may have the name.
    one.vacated = one.key !== key();
    return null;
  }

  /** A file is renamed away from this name, so it is removed later, when it is back. */
  vacate(
    fs: Filesystem,
    parent: number,
    bytes: Uint8Array,
    at: number,
    length: number,
    key: () => string,
  ): void {
    const one = this.byName.get(nameKey(fs, parent, bytes, at, length));
    if (one !== undefined && one.node === NOT_FOUND && one.key === key()) one.vacated = true;
  }

  /** Those below a directory that is about to go, the deepest first. */
  takeBelow(fs: Filesystem, node: number): Held[] {
    return this.takeWhere((one) => one.fs === fs && fs.tree.isAtOrBelow(one.parent, node));
  }

  /**
   * Those below a directory that leaves every managed path at this place: told behind it, they would be told nowhere. Not
   * directories in which, or below which, something happens behind it.
   */
  takeLeaving(fs: Filesystem, node: number, place: number): Held[] {
    const below = [...this.byName.values()].filter(
      (one) => one.fs === fs && fs.tree.isAtOrBelow(one.parent, node),
    );
    const lasting = below.filter((one) => one.node !== NOT_FOUND && one.due > place);
    const isOver = (one: Held) =>
      one.node === NOT_FOUND || !lasting.some((other) => fs.tree.isAtOrBelow(other.node, one.node));
    const over = new Set(below.filter(isOver));
    return this.takeWhere((one) => over.has(one));
  }

  /** All, the deepest first. */
  takeAll(): Held[] {
    return this.takeWhere(() => true);
  }

  /** And then the one above it, if that waited only for this. */
  private takeIfOver(one: Held, place: number, taken: Held[]): void {
    if (one.due > place || one.below > 0 || this.byNode.get(nodeKey(one.fs, one.node)) !== one) return;
    this.forget(one);
    taken.push(one);
    const above = this.byNode.get(nodeKey(one.fs, one.parent));
    if (above !== undefined) this.takeIfOver(above, place, taken);
  }

  private forget(one: Held): void {
    this.byName.delete(nameKey(one.fs, one.parent, one.name, 0, one.name.length));
    if (one.node === NOT_FOUND) {
      const names = (this.byKey.get(one.key) ?? []).filter((other) => other !== one);
      if (names.length > 0) this.byKey.set(one.key, names);
      else this.byKey.delete(one.key);
      const files = this.byParent.get(nodeKey(one.fs, one.parent));
      files?.delete(one);
      if (files?.size === 0) this.byParent.delete(nodeKey(one.fs, one.parent));
      return;
    }
    this.byNode.delete(nodeKey(one.fs, one.node));
    const above = this.byNode.get(nodeKey(one.fs, one.parent));
    if (above !== undefined) above.below--;
  }

  /** A directory is made after the one that holds it, so the last held are the deepest. */
  private takeWhere(wanted: (one: Held) => boolean): Held[] {
    const taken = [...this.byName.values()].filter(wanted).reverse();
    for (const one of taken) this.forget(one);
    return taken;
  }
}

function nodeKey(fs: Filesystem, node: number): string {
  return `${fs.id}:${node}`;
}

function nameKey(fs: Filesystem, parent: number, bytes: Uint8Array, at: number, length: number): string {
  const name = Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString("latin1");
  return `${fs.id}:${parent}/${name}`;
}
