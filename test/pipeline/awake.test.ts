import { expect, test } from "bun:test";
import { Awake } from "../../src/pipeline/awake.ts";

test("a change that woke it happened right before", () => {
  const awake = new Awake(0);
  awake.look(1000);
  awake.beat(60_000);
  awake.woke(60_500);
  expect(awake.look(60_501)).toBe(60_400);
});

test("a change while it was busy happened since it looked last", () => {
  const awake = new Awake(0);
  awake.beat(60_000);
  awake.woke(60_000);
  awake.look(60_100);
  awake.look(60_200);
  expect(awake.look(60_300)).toBe(60_200);
});

test("a change while the process was stopped happened since it last lived", () => {
  const awake = new Awake(0);
  awake.look(1000);
  awake.beat(60_000);
  awake.woke(75_000);
  expect(awake.look(75_001)).toBe(60_000);
});
