// While a tree is compared with the disk: which of its directories are known to be where it has them, and which of the others it has
// under a name. Names are indexed when one is first asked for, and not again: a directory that comes or moves later is verified.
import { NodeSet } from "./node-set.ts";
import { type DirectoryTree, NOT_FOUND } from "./tree.ts";

const NAME_MAX_BYTES = 255;

export class Verified extends NodeSet {
  /** Hash chains: heads by hash, next by node; -1 ends one. 8 to 12 bytes a directory. */
  private heads: Int32Array | null = null;
  private next = new Int32Array(0);
  /** The directories in one: the first by its node, the next by that one's. */
  private first = new Int32Array(0);
  private sibling = new Int32Array(0);
  private readonly name = new Uint8Array(NAME_MAX_BYTES);

  constructor(private readonly tree: DirectoryTree) {
    super();
  }

  /** The directory that the tree has there, if it isn't verified; else NOT_FOUND. */
  unverifiedAt(parent: number, bytes: Uint8Array, at: number, length: number): number {
    const { tree } = this;
    this.heads ??= this.index();
    const head = hash(parent, bytes, at, length) & (this.heads.length - 1);
    for (let node = this.heads[head]!; node >= 0; node = this.next[node]!) {
      if (tree.has(node) && tree.parentOf(node) === parent && tree.nameIs(node, bytes, at, length))
        if (!this.has(node)) return node;
    }
    return NOT_FOUND;
  }

  /** Those that the tree has in a directory and that aren't verified. */
  unverifiedIn(parent: number): number[] {
    const { tree } = this;
    this.heads ??= this.index();
    const found: number[] = [];
    for (let node = this.first[parent] ?? -1; node >= 0; node = this.sibling[node]!)
      if (tree.has(node) && tree.parentOf(node) === parent && !this.has(node)) found.push(node);
    return found;
  }

  private index(): Int32Array {
    const { tree, name } = this;
    const heads = new Int32Array(1 << (32 - Math.clz32(tree.size))).fill(-1);
    this.next = new Int32Array(tree.capacity);
    this.first = new Int32Array(tree.capacity).fill(-1);
    this.sibling = new Int32Array(tree.capacity).fill(-1);
    tree.forEach((node) => {
      const head = hash(tree.parentOf(node), name, 0, tree.copyName(node, name, 0)) & (heads.length - 1);
      this.next[node] = heads[head]!;
      heads[head] = node;
      const parent = tree.parentOf(node);
      if (parent < 0) return;
      this.sibling[node] = this.first[parent]!;
      this.first[parent] = node;
    });
    return heads;
  }
}

/** FNV-1a (32 bit), begun with the parent. */
function hash(parent: number, bytes: Uint8Array, at: number, length: number): number {
  let h = Math.imul(0x811c9dc5 ^ parent, 0x01000193);
  for (let i = 0; i < length; i++) h = Math.imul(h ^ bytes[at + i]!, 0x01000193);
  return h ^ (h >>> 15);
}
