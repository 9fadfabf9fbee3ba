import { describe, expect, test } from "bun:test";
import { Burials } from "../../../src/resolve/endings/burial.ts";
import { DyingDirectories } from "../../../src/resolve/endings/dying.ts";
import { Graves } from "../../../src/resolve/endings/graves.ts";
import { handleKey } from "../../../src/resolve/keys.ts";
import { Occurrences } from "../../../src/resolve/occurrence.ts";
import { inode } from "../../decode/fan-bytes.ts";
import { anchor, filesystemWith, shown, watch } from "../watches.ts";

/** /w is managed, and each of these had its DELETE_SELF, in this order. */
function dyingIn(...ended: readonly string[]) {
  const { fs, node } = filesystemWith(["/w", "/w/c", "/w/c/d", "/w/c/d/deep", "/w/other"]);
  anchor(fs, node("/w"), watch("/w"));
  const burials = new Burials(new Graves());
  const dying = new DyingDirectories(burials, 0);
  for (const path of ended) {
    const handle = fs.tree.handleOf(node(path));
    dying.hold(handleKey(fs, handle, 0, handle.length), fs, node(path), 1, new Occurrences());
  }
  const told = (tell: (out: Occurrences) => void): string[] => {
    const out = new Occurrences();
    tell(out);
    burials.bury();
    return Array.from({ length: out.count }, (_, i) => shown(out.at(i).places).join());
  };
  return { fs, node, burials, dying, told };
}

describe("DyingDirectories", () => {
  test("tell those that no DELETE came for when the queue was read to its end the second time", () => {
    const { fs, node, dying, told } = dyingIn("/w/c/d", "/w/other");
    expect(told((out) => dying.finish(out))).toEqual([]);
    expect(told((out) => dying.finish(out))).toEqual(["/w: /w/c/d 2", "/w: /w/other 1"]);
    expect([dying.empty, fs.tree.has(node("/w/c/d"))]).toEqual([true, false]);
  });

  test("tell one that is in another, whichever came first", () => {
    for (const paths of [
      ["/w/c", "/w/c/d"],
      ["/w/c/d", "/w/c"],
    ]) {
      const { dying, told } = dyingIn(...paths);
      dying.finish(new Occurrences());
      expect(told((out) => dying.finish(out)).sort()).toEqual(["/w: /w/c 1", "/w: /w/c/d 2"]);
    }
  });

  test("tell what ended below a directory before that one goes, and nothing else", () => {
    const { fs, node, dying, told } = dyingIn("/w/c/d/deep", "/w/other", "/w/c/d", "/w/c");
    expect(told((out) => dying.tellBelow(fs, node("/w/c"), out))).toEqual([
      "/w: /w/c/d/deep 3",
      "/w: /w/c/d 2",
    ]);
    expect(["/w/c/d/deep", "/w/c/d", "/w/c", "/w/other"].map((path) => fs.tree.has(node(path)))).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });

  test("tell at once one that dies by our own hand, behind its DELETE: by whoever removed it", () => {
    const { fs, node, burials, dying, told } = dyingIn();
    burials.later(fs, node("/w/other"), 7);
    const out = new Occurrences();
    dying.hold("its key", fs, node("/w/other"), 0, out);
    expect([out.count, out.at(0).pid, shown(out.at(0).places).join()]).toEqual([1, 7, "/w: /w/other 1"]);
    expect(told((later) => dying.finish(later))).toEqual([]);
    expect(dying.empty).toBe(true);
  });

  test("leave alone the directory that has the number of one by now", () => {
    const { fs, node, dying, told } = dyingIn("/w/other");
    const number = node("/w/other");
    fs.removeNode(number);
    expect(fs.tree.put(inode(99), 0, node("/w/c"), Buffer.from("new"))).toBe(number);
    expect(told((out) => dying.tellBelow(fs, node("/w/c"), out))).toEqual([]);
    dying.finish(new Occurrences());
    expect(told((out) => dying.finish(out))).toEqual(["/w: /w/other 1"]);
    expect(fs.tree.has(number)).toBe(true);
  });
});
