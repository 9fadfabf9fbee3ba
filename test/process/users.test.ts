import { describe, expect, test } from "bun:test";
import { getent } from "../../src/process/getent.ts";
import { PATIENCE_MS, UserNames } from "../../src/process/users.ts";

const STRANGER = 3_000_000_001;

/** A user database whose answers come when the test says so. */
class Directory {
  readonly asked: (readonly number[])[] = [];
  readonly names = new Map<number, string>();
  broken = false;
  private waiting: (() => void)[] = [];

  readonly lookUp = async (uids: readonly number[]) => {
    this.asked.push(uids);
    await new Promise<void>((resolve) => this.waiting.push(resolve));
    return this.broken ? null : new Map([...this.names].filter(([uid]) => uids.includes(uid)));
  };

  async answer(): Promise<void> {
    for (const resolve of this.waiting.splice(0)) resolve();
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }
}

function names(): { users: UserNames; directory: Directory; clock: { ms: number }; answers: () => number } {
  const directory = new Directory();
  const clock = { ms: 1000 };
  let answers = 0;
  const users = new UserNames(
    () => answers++,
    directory.lookUp,
    () => clock.ms,
  );
  return { users, directory, clock, answers: () => answers };
}

describe("UserNames", () => {
  test("knows the users of /etc/passwd at once", () => {
    const { users, directory } = names();
    users.expect(0);
    expect([users.nameOf(0), users.areAwaited]).toEqual([{ name: "root", reason: null }, false]);
    expect(directory.asked).toEqual([]);
  });

  test("asks the system for others once, is waited for, and tells when the name is there", async () => {
    const { users, directory, answers } = names();
    directory.names.set(STRANGER, "ldap-user");
    for (let i = 0; i < 2; i++) users.expect(STRANGER);
    expect(users.areAwaited).toBe(true);
    expect(users.nameOf(STRANGER)).toEqual({ name: String(STRANGER), reason: "lookup_slow" });
    const before = answers();
    await directory.answer();
    expect(answers()).toBe(before + 1);
    expect(users.areAwaited).toBe(false);
    expect(users.nameOf(STRANGER)).toEqual({ name: "ldap-user", reason: null });
    expect(directory.asked).toEqual([[STRANGER]]);
  });

  test("tells the number, as the system's own answer, where no name exists", async () => {
    const { users, directory } = names();
    users.expect(STRANGER);
    await directory.answer();
    expect(users.nameOf(STRANGER)).toEqual({ name: String(STRANGER), reason: null });
  });

  test("asks for all that came up meanwhile together", async () => {
    const { users, directory } = names();
    for (let i = 0; i < 100; i++) users.expect(STRANGER + i);
    for (let i = 0; i < 3; i++) await directory.answer();
    expect(directory.asked.map((uids) => uids.length)).toEqual([1, 64, 35]);
  });

  test("is waited for no longer than patience lasts, and then by nobody for a while", async () => {
    const { users, directory, clock } = names();
    users.expect(STRANGER);
    clock.ms += PATIENCE_MS - 1;
    expect(users.areAwaited).toBe(true);
    clock.ms += 1;
    expect(users.areAwaited).toBe(false);
    users.expect(STRANGER + 1);
    expect(users.areAwaited).toBe(false);
    expect(users.nameOf(STRANGER + 1).reason).toBe("lookup_slow");
    for (let i = 0; i < 2; i++) await directory.answer();
    clock.ms += 20_000;
    users.expect(STRANGER + 2);
    expect(users.areAwaited).toBe(true);
  });

  test("asks again after a minute, and a failure then keeps the name that was right before", async () => {
    const { users, directory, clock } = names();
    directory.names.set(STRANGER, "first");
    users.expect(STRANGER);
    await directory.answer();
    directory.names.set(STRANGER, "second");
    clock.ms += 59_000;
    users.expect(STRANGER);
    expect([users.areAwaited, users.nameOf(STRANGER).name]).toEqual([false, "first"]);
    clock.ms += 2_000;
    users.expect(STRANGER);
    expect(users.areAwaited).toBe(true);
    await directory.answer();
    expect(users.nameOf(STRANGER).name).toBe("second");
    clock.ms += 61_000;
    directory.broken = true;
    users.expect(STRANGER);
    await directory.answer();
    expect(users.nameOf(STRANGER)).toEqual({ name: "second", reason: null });
  });

  test("says when the lookup failed", async () => {
    const { users, directory } = names();
    directory.broken = true;
    users.expect(STRANGER);
    await directory.answer();
    expect(users.nameOf(STRANGER)).toEqual({ name: String(STRANGER), reason: "lookup_failed" });
  });
});

test("getent() finds those that exist among those that don't", async () => {
  expect(await getent([0, STRANGER, 65534])).toEqual(
    new Map([
      [0, "root"],
      [65534, "nobody"],
    ]),
  );
});
