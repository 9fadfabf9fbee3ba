import { expect, test } from "bun:test";
import { UserNames } from "../../src/process/users.ts";

test("nameOf() gives the name of the user database, and the number where there is none", () => {
  const users = new UserNames(() => {});
  expect(users.nameOf(0)).toBe("root");
  // Nobody is called so: numbers beyond 2^31 are refused by useradd.
  expect(users.nameOf(3_000_000_123)).toBe("3000000123");
});

test("nameOf() answers at once and asks at most one program for a number that isn't known", () => {
  const users = new UserNames(() => {});
  const startMs = performance.now();
  for (let i = 0; i < 10_000; i++) users.nameOf(3_000_000_124);
  expect(performance.now() - startMs).toBeLessThan(1000);
});

test("the database is read at the start, and that is told as a change", () => {
  let changes = 0;
  const users = new UserNames(() => changes++);
  expect(changes).toBe(1);
  users.refresh();
  expect(changes).toBe(1);
});
