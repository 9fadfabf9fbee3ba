import { expect, test } from "bun:test";
import { MemoryCare } from "../../src/daemon/memory.ts";

const BUSY = 10_000;

function care() {
  const done: string[] = [];
  const memory = new MemoryCare(
    () => done.push("collect"),
    () => done.push("page out"),
  );
  let events = 0;
  return {
    ticks(count: number, eventsEach = 0): string[] {
      for (let i = 0; i < count; i++) {
        events += eventsEach;
        memory.tick(events);
      }
      return done.splice(0);
    },
  };
}

test("after the start what it took is collected and given back, once", () => {
  const { ticks } = care();
  expect(ticks(2)).toEqual([]);
  expect(ticks(8)).toEqual(["collect", "page out"]);
  expect(ticks(10_000)).toEqual([]);
});

test("never while events come, and each storm is cleaned up after once", () => {
  const { ticks } = care();
  expect(ticks(1000, BUSY)).toEqual([]);
  expect(ticks(3)).toEqual(["collect"]);
  ticks(1000);
  ticks(1, BUSY);
  expect(ticks(100)).toEqual(["collect"]);
});

test("the few hundred events a second of a machine at work are no storm, and put nothing off", () => {
  const { ticks } = care();
  expect(ticks(20, 500)).toEqual(["collect", "page out"]);
  expect(ticks(2000, 500)).toEqual([]);
});

test("pages of the binary go again only after a long silence", () => {
  const { ticks } = care();
  ticks(20);
  ticks(1, BUSY);
  expect(ticks(599)).toEqual(["collect"]);
  expect(ticks(1)).toEqual(["page out"]);
});
