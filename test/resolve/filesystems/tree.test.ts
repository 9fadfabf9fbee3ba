import { describe, expect, test } from "bun:test";
import { DirectoryTree, NOT_FOUND, NOWHERE } from "../../../src/resolve/filesystems/tree.ts";
import { handle, inode } from "../../decode/fan-bytes.ts";
import { Random } from "../../query/random-logs.ts";

const name = (text: string) => Buffer.from(text);
const nameOf = (tree: DirectoryTree, node: number) => Buffer.from(tree.nameOf(node)).toString("latin1");

/** Handle sizes of ext4, tmpfs and xfs, btrfs, and a longer one. */
const HANDLE_SIZES = [8, 12, 20, 32];

/** The n-th handle of a size; many share their first bytes, as inode numbers do. */
function handleNumber(n: number, size: number): Buffer {
  const data = Array.from({ length: size }, (_, i) => (i < 4 ? (n >>> (i * 8)) & 0xff : i));
  return handle(data, size);
}

describe("DirectoryTree", () => {
  test("finds what was put, by handle, with parent, name and handle", () => {
    const tree = new DirectoryTree();
    const top = tree.put(inode(2), 0, NOWHERE, name(""));
    const sub = tree.put(inode(3), 0, top, name("sub"));
    expect(tree.find(inode(3), 0)).toBe(sub);
    expect(tree.find(inode(4), 0)).toBe(NOT_FOUND);
    expect([tree.parentOf(sub), tree.parentOf(top)]).toEqual([top, NOWHERE]);
    expect(nameOf(tree, sub)).toBe("sub");
    expect(inode(3).equals(tree.handleOf(sub))).toBe(true);
    expect([tree.size, tree.has(top), tree.has(sub), tree.has(sub + 1)]).toEqual([2, true, true, false]);
  });

  test("says what lies at or below what, and ends for two directories each below the other", () => {
    const tree = new DirectoryTree();
    const [a, b, c] = [1, 2, 3].map((n) => tree.put(inode(n), 0, n - 2, name(`${n}`)));
    expect([tree.isAtOrBelow(c!, a!), tree.isAtOrBelow(a!, a!), tree.isAtOrBelow(a!, c!)]).toEqual([
      true,
      true,
      false,
    ]);
    tree.move(a!, b!, name("1"));
    expect(tree.isAtOrBelow(b!, c!)).toBe(false);
  });

  test("reads a handle wherever it stands in a buffer", () => {
    const tree = new DirectoryTree();
    const bytes = Buffer.concat([Buffer.alloc(52, 0xee), inode(3), Buffer.alloc(9, 0xee)]);
    const node = tree.put(bytes, 52, NOWHERE, name("a"));
    expect(tree.find(bytes, 52)).toBe(node);
    expect(tree.find(inode(3), 0)).toBe(node);
  });

  test("keeps apart handles that differ in type alone, in length alone, or in one bit", () => {
    const tree = new DirectoryTree();
    const handles = [
      handle([1, 2, 3, 4, 5, 6, 7, 8], 1),
      handle([1, 2, 3, 4, 5, 6, 7, 8], 2),
      handle([1, 2, 3, 4, 5, 6, 7], 1),
      handle([1, 2, 3, 4, 5, 6, 7, 9], 1),
      handle([], 1),
      handle(Array(128).fill(0), 1),
    ];
    const nodes = handles.map((one, i) => tree.put(one, 0, NOWHERE, name(`${i}`)));
    expect(new Set(nodes).size).toBe(handles.length);
    expect(handles.map((one) => tree.find(one, 0))).toEqual(nodes);
    expect(handles.every((one, i) => one.equals(tree.handleOf(nodes[i]!)))).toBe(true);
  });

  test("moves a known directory when it is put again", () => {
    const tree = new DirectoryTree();
    const a = tree.put(inode(1), 0, NOWHERE, name("a"));
    const b = tree.put(inode(2), 0, NOWHERE, name("b"));
    expect(tree.put(inode(2), 0, a, name("c"))).toBe(b);
    expect([tree.size, tree.parentOf(b), nameOf(tree, b)]).toEqual([2, a, "c"]);
  });

  test("holds names of 0 to 255 bytes of any value", () => {
    const tree = new DirectoryTree();
    const top = tree.put(inode(1), 0, NOWHERE, Buffer.alloc(0));
    const names = [Buffer.alloc(255, 0xff), Buffer.from([0x0a]), Buffer.alloc(255, 1), Buffer.alloc(0)];
    const node = tree.put(inode(2), 0, top, name("start"));
    for (const one of names) {
      tree.move(node, top, one);
      expect(Buffer.from(tree.nameOf(node))).toEqual(one);
      expect(tree.nameIs(node, Buffer.concat([name("x"), one]), 1, one.length)).toBe(true);
      expect(tree.nameIs(node, Buffer.concat([one, name("x")]), 0, one.length + 1)).toBe(false);
    }
    expect(tree.nameIs(node, name("a"), 0, 1)).toBe(false);
  });

  test("gives a removed directory's number away only when nothing has it as parent any more", () => {
    const tree = new DirectoryTree();
    const parent = tree.put(inode(1), 0, NOWHERE, name("parent"));
    const child = tree.put(inode(2), 0, parent, name("child"));
    tree.remove(parent);
    expect([tree.has(parent), tree.find(inode(1), 0), tree.size]).toEqual([false, NOT_FOUND, 1]);
    // The walk upwards from the child ends: what has no record can't be asked for its handle.
    expect(tree.parentOf(child)).toBe(NOWHERE);
    const others = [3, 4, 5].map((n) => tree.put(inode(n), 0, NOWHERE, name("other")));
    expect(others).not.toContain(parent);
    tree.remove(child);
    const later = [6, 7].map((n) => tree.put(inode(n), 0, NOWHERE, name("later")));
    expect(later.sort()).toEqual([parent, child].sort());
  });

  test("frees the number of a removed parent when its last child moves away", () => {
    const tree = new DirectoryTree();
    const parent = tree.put(inode(1), 0, NOWHERE, name("parent"));
    const child = tree.put(inode(2), 0, parent, name("child"));
    tree.remove(parent);
    tree.move(child, NOWHERE, name("child"));
    expect(tree.put(inode(3), 0, NOWHERE, name("new"))).toBe(parent);
    expect(tree.parentOf(child)).toBe(NOWHERE);
  });

  test("survives two directories each below the other", () => {
    const tree = new DirectoryTree();
    const a = tree.put(inode(1), 0, NOWHERE, name("a"));
    const b = tree.put(inode(2), 0, a, name("b"));
    tree.move(a, b, name("a"));
    tree.remove(a);
    tree.remove(b);
    const again = [3, 4, 5].map((n) => tree.put(inode(n), 0, NOWHERE, name("x")));
    expect(new Set(again).size).toBe(3);
    expect(tree.size).toBe(3);
  });

  test("forEach() meets every directory once, also while it removes them", () => {
    const tree = new DirectoryTree();
    for (let n = 0; n < 3000; n++) tree.put(inode(n), 0, NOWHERE, name("x"));
    const met: number[] = [];
    tree.forEach((node) => {
      met.push(node);
      if (met.length % 2 === 0) tree.remove(node);
    });
    expect([met.length, new Set(met).size, tree.size]).toEqual([3000, 3000, 1500]);
  });

  test("agrees with a plain Map through 100,000 random operations (seed 5)", () => {
    const random = new Random(5);
    const tree = new DirectoryTree();
    interface Known {
      handle: Buffer;
      parent: Known | null;
      name: string;
      removed: boolean;
    }
    const known = new Map<string, Known>();
    const all: Known[] = [];
    const nodeOf = (one: Known) => tree.find(one.handle, 0);
    const compare = () => {
      expect(tree.size).toBe(known.size);
      const byNode = new Map(all.map((one) => [nodeOf(one), one]));
      expect(byNode.size).toBe(known.size);
      tree.forEach((node) => {
        const one = byNode.get(node)!;
        const parent = tree.parentOf(node);
        // A number must not have become another directory's as long as somebody has it as parent.
        const actual = parent !== NOWHERE && tree.has(parent) ? byNode.get(parent) : null;
        const wanted = one.parent === null || one.parent.removed ? null : one.parent;
        if (actual !== wanted) throw new Error(`${one.handle.toString("hex")} has another parent`);
        if (nameOf(tree, node) !== one.name)
          throw new Error(`${one.handle.toString("hex")} has another name`);
        if (!one.handle.equals(tree.handleOf(node))) throw new Error("another handle");
      });
    };
    const randomHandle = (below: number) => {
      const number = random.below(below);
      return handleNumber(number, HANDLE_SIZES[number % HANDLE_SIZES.length]!);
    };
    for (let operation = 0; operation < 100_000; operation++) {
      // Grows, shrinks, grows again: slots fill, shift back and are filled anew.
      const growing = Math.floor(operation / 25_000) % 2 === 0;
      const choice = random.next();
      const some = random.below(Math.max(1, all.length));
      const one = all[some];
      const parent = random.chance(0.1) ? null : (all[random.below(all.length)] ?? null);
      const parentNode = parent === null ? NOWHERE : nodeOf(parent);
      const newName = random.chance(0.02) ? "n".repeat(255) : `n${random.below(1000)}`;
      if (one === undefined || choice < (growing ? 0.5 : 0.2)) {
        // Handles come back, too: some filesystems reuse an inode with the same generation.
        const bytes = randomHandle(40_000);
        const before = known.get(bytes.toString("hex"));
        if (before !== undefined && before === parent) continue;
        tree.put(bytes, 0, parentNode, name(newName));
        if (before !== undefined) Object.assign(before, { parent, name: newName });
        else {
          const added = { handle: bytes, parent, name: newName, removed: false };
          known.set(bytes.toString("hex"), added);
          all.push(added);
        }
      } else if (choice < 0.65) {
        if (one === parent) continue;
        tree.move(nodeOf(one), parentNode, name(newName));
        Object.assign(one, { parent, name: newName });
      } else if (choice < (growing ? 0.75 : 0.97)) {
        tree.remove(nodeOf(one));
        one.removed = true;
        known.delete(one.handle.toString("hex"));
        all[some] = all.at(-1)!;
        all.pop();
      } else {
        const bytes = randomHandle(50_000);
        if ((tree.find(bytes, 0) !== NOT_FOUND) !== known.has(bytes.toString("hex")))
          throw new Error("find()");
      }
      if (operation % 5000 === 4999) compare();
    }
    expect(known.size).toBeGreaterThan(1000);
  });

  test("a directory that is renamed again and again takes no more room for it", () => {
    const tree = new DirectoryTree();
    const nodes = Array.from({ length: 100 }, (_, n) =>
      tree.put(inode(n), 0, NOWHERE, name(`directory ${n}`)),
    );
    for (let i = 0; i < 100_000; i++) tree.move(nodes[i % 100]!, NOWHERE, name(`another name ${i % 1000}`));
    expect(bytesOf(tree)).toBeLessThan(1 << 18);
    expect(nodes.map((node) => tree.find(tree.handleOf(node), 0))).toEqual(nodes);
    expect(nameOf(tree, nodes[99]!)).toBe("another name 999");
  });

  test("directories that come and go leave no room taken behind", () => {
    const tree = new DirectoryTree();
    for (let i = 0; i < 200_000; i++)
      tree.remove(tree.put(inode(i % 50_000), 0, NOWHERE, name(`directory ${i}`)));
    expect(tree.size).toBe(0);
    expect(bytesOf(tree)).toBeLessThan(1 << 18);
  });

  test("needs at most 100 bytes a directory for 200,000 of them", () => {
    const tree = new DirectoryTree();
    const count = 200_000;
    const top = tree.put(handleNumber(0, 12), 0, NOWHERE, name(""));
    for (let n = 1; n < count; n++) tree.put(handleNumber(n, 12), 0, top, name(`directory-${n}`));
    expect(bytesOf(tree) / count).toBeLessThanOrEqual(100);
    for (const n of [1, 1023, 1024, 65536, count - 1]) {
      expect(nameOf(tree, tree.find(handleNumber(n, 12), 0))).toBe(`directory-${n}`);
    }
  });
});

/** What the tree holds in memory: all of it are arrays of numbers. */
function bytesOf(tree: DirectoryTree): number {
  let bytes = 0;
  for (const value of Object.values(tree)) {
    if (ArrayBuffer.isView(value)) bytes += value.byteLength;
    else if (Array.isArray(value)) bytes += value.length * 8;
  }
  return bytes;
}
