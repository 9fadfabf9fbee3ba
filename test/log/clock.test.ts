import { expect, test } from "bun:test";
import { LogClock } from "../../src/log/clock.ts";

/** A clock on strings: time passes on all three sources, and each can be set by hand. */
function fake() {
  const at = { wall: 1_000_000_000, steady: 500, uptime: 500 };
  const clock = new LogClock({ wallMs: () => at.wall, steadyMs: () => at.steady, uptimeMs: () => at.uptime });
  const pass = (ms: number) => {
    at.wall += ms;
    at.steady += ms;
    at.uptime += ms;
  };
  return { at, clock, pass };
}

test("LogClock.now() follows the wall clock", () => {
  const { at, clock, pass } = fake();
  pass(1234);
  expect(clock.now()).toEqual({ timeMs: at.wall, jump: null });
});

test("LogClock.now() stands still while a small step back is waited out", () => {
  const { at, clock, pass } = fake();
  const before = clock.now().timeMs;
  at.wall -= 400;
  expect(clock.now()).toEqual({ timeMs: before, jump: null });
  pass(300);
  expect(clock.now().timeMs).toBe(before);
  pass(300);
  expect(clock.now()).toEqual({ timeMs: before + 200, jump: null });
});

test("LogClock.now() reports a clock that was set back, once", () => {
  const { at, clock, pass } = fake();
  const before = clock.now().timeMs;
  pass(50);
  at.wall -= 3_600_000;
  const { timeMs, jump } = clock.now();
  expect(timeMs).toBe(at.wall);
  expect(jump).toEqual({ fromMs: before + 50, toMs: at.wall });
  pass(10);
  expect(clock.now()).toEqual({ timeMs: at.wall, jump: null });
});

test("LogClock.now() reports many small steps back that add up", () => {
  const { at, clock, pass } = fake();
  const jumps = [];
  for (let i = 0; i < 20; i++) {
    at.wall -= 100;
    pass(1);
    jumps.push(clock.now().jump);
  }
  expect(jumps.filter((jump) => jump !== null).length).toBe(1);
});

test("LogClock.now() reports a clock that was set far ahead", () => {
  const { at, clock, pass } = fake();
  pass(1000);
  at.wall += 3_600_000;
  expect(clock.now().jump).toEqual({ fromMs: at.wall - 3_600_000, toMs: at.wall });
});

test("LogClock.now() takes an hour of sleep for what it is", () => {
  const { at, clock, pass } = fake();
  pass(1000);
  at.wall += 3_600_000;
  at.uptime += 3_600_000;
  expect(clock.now()).toEqual({ timeMs: at.wall, jump: null });
});

test("LogClock.now() takes an hour of silence with a slewing clock for what it is", () => {
  const { at, clock, pass } = fake();
  pass(3_600_000);
  at.wall -= 1800;
  expect(clock.now().jump).toBeNull();
});
