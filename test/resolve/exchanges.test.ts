import { describe, expect, test } from "bun:test";
import * as fan from "../../src/decode/fan.ts";
import * as abi from "../../src/kernel/abi.ts";
import { Exchanges, type Half } from "../../src/resolve/exchanges.ts";
import { ReadAhead } from "../../src/resolve/read-ahead.ts";
import { at, event, from, inode, object, to } from "../decode/fan-bytes.ts";
import { Queue } from "./queue.ts";
import { filesystemWith } from "./watches.ts";

const PID = 7;
const rename = (old: string, now: string, moved: number, pid = PID) =>
  event(abi.FAN_RENAME, pid, from(inode(2), old), to(inode(2), now), object(inode(moved)));
const written = (pid: number) => event(abi.FAN_CLOSE_WRITE, pid, at(inode(2), "f"), object(inode(90)));
const others = (count: number) => Array.from({ length: count }, (_, i) => written(1000 + i));

/**
 * Which renames are halves, batch by batch; `late` is queued when a directory's lock has been waited for.
 *
 * @param isReused the process's number means several: each event has an alias of its own
 */
function halves(
  queued: readonly Uint8Array[],
  late: readonly Uint8Array[] = [],
  isReused = false,
): (Half | null)[] {
  const { fs } = filesystemWith([]);
  const queue = new Queue(...queued);
  const ahead = new ReadAhead(queue, 16384, 8192);
  let left = late;
  const exchanges = new Exchanges({
    awaitChanges: () => {
      queue.add(...left);
      left = [];
      ahead.readAll();
    },
    nextOfProcess: (pid) => ahead.nextOfProcess(pid),
  });
  const found: (Half | null)[] = [];
  for (let emptied = false; !emptied || ahead.isAhead; ) {
    emptied = ahead.next();
    const { batch } = ahead;
    for (let i = 0; isReused && i < batch.count; i++) batch.set(i, fan.PID, -1 - found.length - i);
    exchanges.begin(batch);
    for (let i = 0; i < batch.count; i++)
      if ((batch.get(i, fan.MASK) & abi.FAN_RENAME) !== 0) found.push(exchanges.halfOf(fs, batch, i));
  }
  return found;
}

describe("Exchanges", () => {
  const first = rename("a", "b", 50);
  const second = rename("b", "a", 51);

  test("two renames of one process with the ends swapped are one exchange, whatever of others is in between", () => {
    expect(halves([first, second])).toEqual(["first", "second"]);
    expect(halves([first, ...others(100), second])).toEqual(["first", "second"]);
    expect(halves([first, ...others(1000), second, written(PID)])).toEqual(["first", "second"]);
  });

  test("the second half may be queued after the batch was read, as long as the directory is locked", () => {
    expect(halves([first], [second])).toEqual(["first", "second"]);
    expect(halves([...others(3), first, ...others(3)], [...others(500), second])).toEqual([
      "first",
      "second",
    ]);
  });

  test("the number alone tells that they are one process's, also where nobody knows whose it was", () => {
    expect(halves([first, ...others(100), second], [], true)).toEqual(["first", "second"]);
    expect(halves([first], [...others(500), second], true)).toEqual(["first", "second"]);
  });

  test("plain renames are none: of one object to and fro, of another process, or with something of the process in between", () => {
    expect(halves([first, rename("b", "a", 50)])).toEqual([null, null]);
    expect(halves([first, rename("b", "a", 51, 8)])).toEqual([null, null]);
    expect(halves([first, written(PID), second])).toEqual([null, null]);
    expect(halves([first], [written(PID), second])).toEqual([null, null]);
    expect(halves([first])).toEqual([null]);
  });

  test("exchanged there and back: two exchanges", () => {
    const back = [rename("a", "b", 51), rename("b", "a", 50)];
    expect(halves([first, second, ...back])).toEqual(["first", "second", "first", "second"]);
    expect(halves([first, second, back[0]!], [back[1]!])).toEqual(["first", "second", "first", "second"]);
  });
});
