// Files that are made without a name (O_TMPFILE): the kernel calls them "#" and their inode's number, and no such path exists. What
// happens to one is told under the name that a link gave it; while it has none, nothing is.
import * as fan from "../../decode/fan.ts";
import * as abi from "../../kernel/abi.ts";
import { timesOf } from "../../kernel/handles.ts";
import { entryPath, entryPlaces } from "../entry.ts";
import type { Filesystem } from "../filesystems/filesystem.ts";
import { NOT_FOUND } from "../filesystems/tree.ts";
import { objectKey } from "../keys.ts";
import type { Occurrences } from "../occurrence.ts";
import { LINE_BITS } from "../order.ts";
import type { Graves } from "./graves.ts";
import { sameObject } from "./object-rows.ts";

type Batch = fan.EventBatch;

/** Names that links gave, some 300 bytes each: nothing says which of them got a file that had none. */
const LINKS_MAX = 1024;
const HASH = 0x23;
/** Its own entry is told, or another's: then it has that name. */
const NAMED = abi.FAN_CREATE | abi.FAN_DELETE | abi.FAN_MOVED_FROM | abi.FAN_MOVED_TO | abi.FAN_ONDIR;

interface Link {
  node: number;
  name: Uint8Array;
}

/** What happened to a file, as far as it is known before its name is. */
interface Deed {
  fs: Filesystem;
  key: string;
  handle: Uint8Array;
  types: number;
  pid: number;
}

export class Unnamed {
  private readonly links = new Map<string, Link>();
  /** What the kernel merged into an event from before the link: told behind that, by its place in the queue. */
  private readonly due = new Map<number, Deed[]>();

  constructor(private readonly graves: Graves) {}

  /** Hot. A file got a name: a link follows the nameless ATTRIB of its number of links. One that is really called so is known, too. */
  made(fs: Filesystem, batch: Batch, i: number, node: number): void {
    const linked = (batch.get(i, fan.EXTRA) & abi.FAN_ATTRIB) !== 0;
    if (linked || batch.bytes[batch.get(i, fan.NAME_AT)] === HASH) this.name(fs, batch, i, node, fan.NAME_AT);
  }

  /** @param node of the directory that it was renamed into; NOT_FOUND outside */
  renamed(fs: Filesystem, batch: Batch, i: number, node: number): void {
    const known = this.links.size > 0 && this.links.delete(objectKey(fs, batch, i));
    if (node === NOT_FOUND) return;
    if (known || batch.bytes[batch.get(i, fan.NEW_NAME_AT)] === HASH)
      this.name(fs, batch, i, node, fan.NEW_NAME_AT);
  }

  private name(fs: Filesystem, batch: Batch, i: number, node: number, column: number): void {
    if ((batch.get(i, fan.MASK) & abi.FAN_ONDIR) !== 0 || batch.get(i, fan.OBJECT_AT) < 0) return;
    const key = objectKey(fs, batch, i);
    this.links.delete(key);
    this.links.set(key, { node, name: nameOf(batch, i, column) });
    if (this.links.size > LINKS_MAX) this.links.delete(this.links.keys().next().value!);
  }

  /** Hot. Whether an event about an entry is one of a file without a name: then it is told here, or left out. */
  takes(fs: Filesystem, batch: Batch, i: number, out: Occurrences): boolean {
    if (batch.bytes[batch.get(i, fan.NAME_AT)] !== HASH || !isUnnamed(fs, batch, i)) return false;
    const at = batch.get(i, fan.OBJECT_AT);
    const deed = {
      fs,
      key: objectKey(fs, batch, i),
      handle: Uint8Array.from(batch.bytes.subarray(at, at + batch.get(i, fan.OBJECT_BYTES))),
      types: batch.get(i, fan.MASK) & LINE_BITS,
      pid: batch.get(i, fan.PID),
    };
    if (this.tell(deed, out)) return true;
    for (let row = i + 1; row < batch.count; row++) {
      if ((batch.get(row, fan.MASK) & abi.FAN_CREATE) === 0 || !sameObject(batch, i, row)) continue;
      const place = batch.placeOf(row);
      this.due.set(place, [...(this.due.get(place) ?? []), deed]);
      break;
    }
    return true;
  }

  /** Hot. Tells what was waiting for the link at this place. */
  tellDue(place: number, out: Occurrences): void {
    if (this.due.size === 0) return;
    for (const deed of this.due.get(place) ?? []) this.tell(deed, out);
    this.due.delete(place);
  }

  /** Returns false where it has no name yet. */
  private tell({ fs, key, handle, types, pid }: Deed, out: Occurrences): boolean {
    const link = this.links.get(key);
    if (link === undefined) return false;
    const grave = this.graves.find(key);
    const { name } = grave ?? link;
    const places = grave?.places ?? entryPlaces(fs.placesOf(link.node), name, 0, name.length);
    if (places.length === 0) return true;
    const one = out.add(types, pid, places, false);
    // The name may be another file's by now: its size is asked for by the handle.
    one.moved = true;
    one.gone = grave !== undefined;
    one.filesystem = fs;
    one.bytes = Buffer.concat([name, handle]);
    one.nameBytes = name.length;
    one.objectAt = name.length;
    one.objectBytes = handle.length;
    return true;
  }
}

/** Called by its inode's number, and no entry has that name: what fsck saves in lost+found is called so, too. */
function isUnnamed(fs: Filesystem, batch: Batch, i: number): boolean {
  if ((batch.get(i, fan.MASK) & NAMED) !== 0 || batch.get(i, fan.OBJECT_AT) < 0 || fs.probe !== null)
    return false;
  const name = Buffer.from(nameOf(batch, i, fan.NAME_AT)).toString("latin1");
  if (!/^#\d{1,20}$/.test(name) || !holds(batch, i, BigInt(name.slice(1)))) return false;
  const node = fs.tree.find(batch.bytes, batch.get(i, fan.DIR_AT));
  const place = node === NOT_FOUND ? undefined : fs.placesOf(node)[0];
  if (place === undefined) return false;
  const path = entryPath(place, batch.bytes, batch.get(i, fan.NAME_AT), batch.get(i, fan.NAME_BYTES));
  return timesOf(path) === null;
}

/** Whether the object's handle holds a number of an inode: every filesystem's does somewhere. */
function holds(batch: Batch, i: number, inode: bigint): boolean {
  const low = Number(inode & 0xffff_ffffn);
  const dataAt = batch.get(i, fan.OBJECT_AT) + 8;
  const end = batch.get(i, fan.OBJECT_AT) + batch.get(i, fan.OBJECT_BYTES);
  for (let at = dataAt; at + 4 <= end; at++) if (batch.bytes.readUInt32LE(at) === low) return true;
  return false;
}

function nameOf(batch: Batch, i: number, column: number): Uint8Array {
  const at = batch.get(i, column);
  return Uint8Array.from(batch.bytes.subarray(at, at + batch.get(i, column + 1)));
}
