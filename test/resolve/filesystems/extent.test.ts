import { expect, test } from "bun:test";
import { countDirectories } from "../../../src/resolve/filesystems/extent.ts";
import { anchor, filesystemWith, watch } from "../watches.ts";

const PATHS = ["/w", "/w/a", "/w/a/b", "/w/a/b/c", "/out", "/out/x", "/flat", "/flat/1"];

test("counts each path's own directories, those of inner paths included, and nothing beside it", () => {
  const { fs, node } = filesystemWith(PATHS);
  const [outer, inner, flat, twice] = [
    watch("/w"),
    watch("/w/a/b"),
    watch("/flat", { recursive: false }),
    watch("/w"),
  ];
  for (const one of [outer, twice]) anchor(fs, node("/w"), one);
  anchor(fs, node("/w/a/b"), inner);
  anchor(fs, node("/flat"), flat);
  expect(countDirectories(fs)).toEqual(
    new Map([
      [outer, 4],
      [twice, 4],
      [inner, 2],
      [flat, 1],
    ]),
  );
});

test("a path that begins at several mounts has the directories of all", () => {
  const { fs, node } = filesystemWith(PATHS);
  const both = watch("/w");
  anchor(fs, node("/w/a"), both);
  anchor(fs, node("/out"), both);
  expect(countDirectories(fs)).toEqual(new Map([[both, 5]]));
});

test("a removed directory counts no longer, and what was below it is nowhere", () => {
  const { fs, node } = filesystemWith(PATHS);
  const one = watch("/w");
  anchor(fs, node("/w"), one);
  fs.tree.remove(node("/w/a/b/c"));
  expect(countDirectories(fs)).toEqual(new Map([[one, 3]]));
});
