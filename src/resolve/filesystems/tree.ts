// The directories of one filesystem, keyed by handle, each a name and a parent. A path is the walk upwards,
// so renaming a directory of a million files changes one node. Typed arrays and one hash table: about 50
// bytes a directory, against 140-175 for a Map of strings. Hot: find() runs for every event of the
// filesystem, in scope or not.

/** Parent of a node whose place is unknown or outside every managed path. */
export const NOWHERE = -1;
export const NOT_FOUND = -1;

const START_NODES = 1024;
const START_BLOB_BYTES = 65536;
/** Bytes of a node's record besides handle data and name: u8 data length, u8 type, u8 name length. */
const RECORD_OVERHEAD_BYTES = 3;

export class DirectoryTree {
  private parents = new Int32Array(START_NODES);
  /** Where a node's record {u8 dataBytes, u8 type, data, u8 nameBytes, name} starts in the blob. */
  private records = new Uint32Array(START_NODES);
  /**
   * How many nodes have this one as parent: a number with children left must not be given to another
   * directory.
   */
  private children = new Uint32Array(START_NODES);
  private blob = Buffer.allocUnsafe(START_BLOB_BYTES);
  private blobUsed = 0;
  private blobWasted = 0;
  /** Open addressing, linear probing: node + 1, 0 for a free slot. At most half full. */
  private slots = new Int32Array(START_NODES * 2);
  private nodesUsed = 0;
  private readonly freed: number[] = [];
  size = 0;

  /**
   * The node of the directory whose handle {u32 bytes, s32 type, data} starts at `at`.
   *
   * @returns the node, or NOT_FOUND
   */
  find(bytes: Uint8Array, at: number): number {
    const dataBytes = bytes[at]!;
    const mask = this.slots.length - 1;
    for (let slot = hash(bytes, at + 8, dataBytes) & mask; ; slot = (slot + 1) & mask) {
      const node = this.slots[slot]! - 1;
      if (node < 0) return NOT_FOUND;
      if (this.sameHandle(node, bytes, at, dataBytes)) return node;
    }
  }

  /**
   * Adds a directory, or moves a known one to that place. Handles longer than 255 bytes don't exist
   * (MAX_HANDLE_SZ is 128).
   */
  put(bytes: Uint8Array, at: number, parent: number, name: Uint8Array): number {
    const known = this.find(bytes, at);
    if (known !== NOT_FOUND) {
      this.move(known, parent, name);
      return known;
    }
    return this.insert(bytes, at, parent, name, 0, name.length);
  }

  /** Hot. put() for an entry that was read: its name stands in the same bytes, and no view of it has to be made. */
  putEntry(bytes: Uint8Array, at: number, parent: number, nameAt: number, nameBytes: number): number {
    const known = this.find(bytes, at);
    if (known !== NOT_FOUND) {
      this.move(known, parent, bytes.subarray(nameAt, nameAt + nameBytes));
      return known;
    }
    return this.insert(bytes, at, parent, bytes, nameAt, nameBytes);
  }

  private insert(
    bytes: Uint8Array,
    at: number,
    parent: number,
    name: Uint8Array,
    nameAt: number,
    nameBytes: number,
  ): number {
    if ((this.size + 1) * 2 > this.slots.length) this.growSlots();
    const node = this.freed.pop() ?? this.newNode();
    const dataBytes = bytes[at]!;
    const type = bytes[at + 4]!;
    this.records[node] = this.writeRecord(bytes, at + 8, dataBytes, type, name, nameAt, nameBytes);
    this.setParent(node, parent);
    this.insertSlot(node, hash(bytes, at + 8, dataBytes));
    this.size++;
    return node;
  }

  /** Gives a directory another parent and name. The work is the same however much lies below it. */
  move(node: number, parent: number, name: Uint8Array): void {
    this.setParent(node, parent);
    if (this.nameIs(node, name, 0, name.length)) return;
    const record = this.records[node]!;
    const dataBytes = this.blob[record]!;
    this.blobWasted += RECORD_OVERHEAD_BYTES + dataBytes + this.blob[record + 2 + dataBytes]!;
    // The old record is read while the new one is written behind it: copy the handle out first, growth may
    // replace the blob.
    const data = Uint8Array.prototype.slice.call(this.blob, record, record + 2 + dataBytes);
    this.records[node] = this.writeRecord(data, 2, dataBytes, data[1]!, name, 0, name.length);
    this.compactWhenWasted();
  }

  /** Forgets a directory. Children that are left (their own removal was never told) end NOWHERE. */
  remove(node: number): void {
    const record = this.records[node]!;
    const dataBytes = this.blob[record]!;
    this.removeSlot(hash(this.blob, record + 2, dataBytes), node);
    this.blobWasted += RECORD_OVERHEAD_BYTES + dataBytes + this.blob[record + 2 + dataBytes]!;
    this.records[node] = FREE;
    this.setParent(node, NOWHERE);
    if (this.children[node] === 0) this.freed.push(node);
    this.size--;
    this.compactWhenWasted();
  }

  /** Every node's number is below this. */
  get capacity(): number {
    return this.nodesUsed;
  }

  /** False once a node was removed. */
  has(node: number): boolean {
    return node < this.nodesUsed && this.records[node] !== FREE;
  }

  /** True when no directory is known in it. */
  isLeaf(node: number): boolean {
    return this.children[node] === 0;
  }

  /** Hot. NOWHERE once the parent was removed: what has no record has no handle and no name, and the way up ends there. */
  parentOf(node: number): number {
    const parent = this.parents[node]!;
    return parent !== NOWHERE && this.records[parent] === FREE ? NOWHERE : parent;
  }

  isAtOrBelow(node: number, top: number): boolean {
    // A merged rename can leave two directories each below the other: never further than there are directories.
    for (let at = node, steps = this.size + 1; at >= 0 && steps > 0; at = this.parentOf(at), steps--)
      if (at === top) return true;
    return false;
  }

  /** A view of the name's bytes, valid until the tree changes. */
  nameOf(node: number): Uint8Array {
    const record = this.records[node]!;
    const nameAt = record + 3 + this.blob[record]!;
    return this.blob.subarray(nameAt, nameAt + this.blob[nameAt - 1]!);
  }

  nameBytesOf(node: number): number {
    const record = this.records[node]!;
    return this.blob[record + 2 + this.blob[record]!]!;
  }

  /** Hot. Copies the name; returns where it ends. */
  copyName(node: number, target: Uint8Array, at: number): number {
    const record = this.records[node]!;
    const nameAt = record + 3 + this.blob[record]!;
    const end = nameAt + this.blob[nameAt - 1]!;
    for (let i = nameAt; i < end; i++) target[at++] = this.blob[i]!;
    return at;
  }

  /** A copy of the handle record {u32 bytes, s32 type, data}. */
  handleOf(node: number): Uint8Array {
    const record = this.records[node]!;
    const dataBytes = this.blob[record]!;
    const out = new Uint8Array(8 + dataBytes);
    out[0] = dataBytes;
    out[4] = this.blob[record + 1]!;
    out.set(this.blob.subarray(record + 2, record + 2 + dataBytes), 8);
    return out;
  }

  /** Hot. The same into bytes that are there already; returns its length. */
  copyHandle(node: number, out: Uint8Array): number {
    const { blob } = this;
    const record = this.records[node]!;
    const dataBytes = blob[record]!;
    out.fill(0, 0, 8);
    out[0] = dataBytes;
    out[4] = blob[record + 1]!;
    for (let i = 0; i < dataBytes; i++) out[8 + i] = blob[record + 2 + i]!;
    return 8 + dataBytes;
  }

  nameIs(node: number, bytes: Uint8Array, at: number, length: number): boolean {
    const record = this.records[node]!;
    const nameAt = record + 3 + this.blob[record]!;
    if (this.blob[nameAt - 1] !== length) return false;
    for (let i = 0; i < length; i++) if (this.blob[nameAt + i] !== bytes[at + i]) return false;
    return true;
  }

  /** Calls back for every node. Not hot: for sweeps after something big changed. */
  forEach(each: (node: number) => void): void {
    for (let node = 0; node < this.nodesUsed; node++) if (this.records[node] !== FREE) each(node);
  }

  private sameHandle(node: number, bytes: Uint8Array, at: number, dataBytes: number): boolean {
    const { blob } = this;
    const record = this.records[node]!;
    if (blob[record] !== dataBytes || blob[record + 1] !== bytes[at + 4]) return false;
    for (let i = 0; i < dataBytes; i++) if (blob[record + 2 + i] !== bytes[at + 8 + i]) return false;
    return true;
  }

  private setParent(node: number, parent: number): void {
    const before = this.parents[node]!;
    if (before === parent) return;
    this.parents[node] = parent;
    if (parent !== NOWHERE) this.children[parent]!++;
    if (before === NOWHERE) return;
    this.children[before]!--;
    if (this.children[before] === 0 && this.records[before] === FREE) this.freed.push(before);
  }

  private newNode(): number {
    if (this.nodesUsed === this.parents.length) {
      const parents = new Int32Array(grown(this.nodesUsed));
      parents.set(this.parents);
      this.parents = parents;
      const records = new Uint32Array(parents.length);
      records.set(this.records);
      this.records = records;
      const children = new Uint32Array(parents.length);
      children.set(this.children);
      this.children = children;
    }
    this.parents[this.nodesUsed] = NOWHERE;
    return this.nodesUsed++;
  }

  private writeRecord(
    data: Uint8Array,
    dataAt: number,
    dataBytes: number,
    type: number,
    name: Uint8Array,
    nameAt: number,
    nameBytes: number,
  ): number {
    const size = RECORD_OVERHEAD_BYTES + dataBytes + nameBytes;
    if (this.blobUsed + size > this.blob.length) {
      const blob = Buffer.allocUnsafe(grown(this.blob.length));
      blob.set(this.blob.subarray(0, this.blobUsed));
      this.blob = blob;
    }
    const { blob } = this;
    const record = this.blobUsed;
    let at = record;
    blob[at++] = dataBytes;
    blob[at++] = type;
    for (let i = 0; i < dataBytes; i++) blob[at++] = data[dataAt + i]!;
    blob[at++] = nameBytes;
    for (let i = 0; i < nameBytes; i++) blob[at++] = name[nameAt + i]!;
    this.blobUsed += size;
    return record;
  }

  private compactWhenWasted(): void {
    if (this.blobWasted > START_BLOB_BYTES && this.blobWasted * 2 > this.blobUsed) this.compact();
  }

  /** Renames and removals leave their old records behind; this closes the holes. */
  private compact(): void {
    const old = this.blob;
    const blob = Buffer.allocUnsafe(Math.max(START_BLOB_BYTES, this.blobUsed));
    let used = 0;
    for (let node = 0; node < this.nodesUsed; node++) {
      const record = this.records[node]!;
      if (record === FREE) continue;
      const dataBytes = old[record]!;
      const size = RECORD_OVERHEAD_BYTES + dataBytes + old[record + 2 + dataBytes]!;
      old.copy(blob, used, record, record + size);
      this.records[node] = used;
      used += size;
    }
    this.blob = blob;
    this.blobUsed = used;
    this.blobWasted = 0;
  }

  private insertSlot(node: number, hashed: number): void {
    const mask = this.slots.length - 1;
    let slot = hashed & mask;
    while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
    this.slots[slot] = node + 1;
  }

  /**
   * Backward-shift deletion: no tombstones, so lookups never slow down however many directories come and go.
   */
  private removeSlot(hashed: number, node: number): void {
    const { slots } = this;
    const mask = slots.length - 1;
    let hole = hashed & mask;
    while (slots[hole] !== node + 1) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.homeOf(slots[slot]! - 1) & mask;
      // Movable when its home doesn't lie cyclically in (hole, slot].
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        slots[hole] = slots[slot]!;
        hole = slot;
      }
    }
    slots[hole] = 0;
  }

  private growSlots(): void {
    this.slots = new Int32Array(this.slots.length * 2);
    for (let node = 0; node < this.nodesUsed; node++) {
      if (this.records[node] !== FREE) this.insertSlot(node, this.homeOf(node));
    }
  }

  private homeOf(node: number): number {
    const record = this.records[node]!;
    return hash(this.blob, record + 2, this.blob[record]!);
  }
}

/** records[] of a node that isn't in use. A blob never gets that long. */
const FREE = 0xffffffff;

/** Doubling while small, half as much again when large: a million directories must stay within 100 MB. */
function grown(size: number): number {
  return size < 1 << 20 ? size * 2 : size + (size >> 1);
}

/** Of the handle record {u32 bytes, s32 type, data} at `at`. */
export function handleHash(bytes: Uint8Array, at: number): number {
  return hash(bytes, at + 8, bytes[at]!);
}

/** FNV-1a (32 bit) over the handle's data, finished so that the low bits depend on all of it. */
function hash(bytes: Uint8Array, at: number, length: number): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < length; i++) h = Math.imul(h ^ bytes[at + i]!, 0x01000193);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}
