import { describe, expect, test } from "bun:test";
import { describeEvents, maskNames } from "../../src/decode/describe.ts";
import { EVENT_TYPES, TYPE_BITS } from "../../src/event.ts";
import * as abi from "../../src/kernel/abi.ts";
import { at, batchOf, errorRecord, event, from, handle, inode, object, to } from "./fan-bytes.ts";

describe("maskNames()", () => {
  test("names each of the 14 types alone", () => {
    expect(EVENT_TYPES.map((type) => maskNames(TYPE_BITS[type]))).toEqual([...EVENT_TYPES]);
  });

  test("names what isn't a type of a line too", () => {
    expect(maskNames(abi.FAN_RENAME | abi.FAN_ONDIR)).toBe("RENAME|ONDIR");
    expect(maskNames(abi.FAN_Q_OVERFLOW)).toBe("Q_OVERFLOW");
  });

  test("puts bits without a name in hex behind, the highest included", () => {
    expect(maskNames(abi.FAN_CREATE | 0x80000000 | 0x2000)).toBe("CREATE|0x80002000");
  });

  test("is empty for an empty mask", () => expect(maskNames(0)).toBe(""));
});

describe("describeEvents()", () => {
  function lines(...events: Buffer[]): string[] {
    const all: string[] = [];
    describeEvents(batchOf(...events), (line) => all.push(line));
    return all;
  }

  test("prints mask, pid, filesystem, handles (type and data) and names, one line an event", () => {
    expect(
      lines(
        event(abi.FAN_CREATE, 42, at(handle([0xaa, 0xbb], 1), "a"), object(handle([0xcc], 0x81))),
        event(abi.FAN_RENAME, 43, from(handle([1]), "old"), to(handle([2]), "new"), object(handle([3]))),
      ),
    ).toEqual([
      'CREATE pid=42 fsid=11111111:22222222 dir=01000000aabb name="a" object=81000000cc',
      'RENAME pid=43 fsid=11111111:22222222 dir=0100000001 name="old" new-dir=0100000002 new-name="new" object=0100000003',
    ]);
  });

  test("keeps a line one line, whatever a name holds", () => {
    const [line] = lines(event(abi.FAN_CREATE, 1, at(inode(2), 'a\n"\u001b[2J\r')));
    expect(line).toContain('name="a\\n\\"\\u001b[2J\\r"');
    expect(line).not.toMatch(/[\x00-\x1f]/);
  });

  test("prints an overflow and an empty handle", () => {
    expect(lines(event(abi.FAN_Q_OVERFLOW, 0))).toEqual(["Q_OVERFLOW pid=0 fsid=ffffffff:ffffffff"]);
    const [line] = lines(event(abi.FAN_FS_ERROR, 0, object(handle([], 0xff)), errorRecord(117, 2)));
    expect(line).toBe("FS_ERROR pid=0 fsid=11111111:22222222 object=ff000000");
  });
});
