import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { idOf, type UserFiles, userDatabase } from "../../src/config/users.ts";

let dir = "";
let files: UserFiles = { passwd: "", group: "", getent: [] };
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "fsmon-users-"));
  files = { passwd: join(dir, "passwd"), group: join(dir, "group"), getent: [] };
  writeFileSync(
    files.passwd,
    "root:x:0:0:root:/root:/bin/bash\nbroken line\n+::::::\nalice:x:1000:1000:Alice,,,:/home/alice:/bin/sh\n",
  );
  writeFileSync(files.group, "root:x:0:\nadm:x:4:syslog,alice\nali:x:5:al,alicent\nalice:x:1000:\n");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Stands for a name service that the two files know nothing of. */
function fakeGetent(script: string): UserFiles {
  const getent = join(dir, "getent");
  writeFileSync(getent, `#!/bin/sh\n${script}\n`);
  chmodSync(getent, 0o755);
  return { ...files, getent: [join(dir, "none"), getent] };
}

const alice = { name: "alice", uid: 1000, gid: 1000, home: "/home/alice" };

describe("userDatabase()", () => {
  test("finds by number and by name in passwd", () => {
    expect(userDatabase(files).byUid(1000)).toEqual(alice);
    expect(userDatabase(files).byName("alice")).toEqual(alice);
    expect(userDatabase(files).byUid(1001)).toBeNull();
    expect(userDatabase(files).byName("bob")).toBeNull();
    expect(userDatabase(files).byName("")).toBeNull();
  });

  test("lists the groups of the group file, the primary one first", () => {
    expect(userDatabase(files).groupsOf(alice)).toEqual([1000, 4]);
  });

  test("asks getent for what the files don't know", () => {
    const users = userDatabase(
      fakeGetent(
        'case "$1 $2" in "passwd 7001"|"passwd lena") echo "lena:*:7001:7000:Lena:/home/lena:/bin/sh";; *) exit 2;; esac',
      ),
    );
    expect(users.byUid(7001)?.name).toBe("lena");
    expect(users.byName("lena")?.uid).toBe(7001);
    expect(users.byUid(7002)).toBeNull();
    expect(users.byUid(1000)).toEqual(alice);
  });

  test("believes no answer that is about somebody else", () => {
    const users = userDatabase(fakeGetent('echo "root:x:0:0::/root:/bin/sh"'));
    expect(users.byUid(7001)).toBeNull();
    expect(users.byName("lena")).toBeNull();
  });

  test("takes the groups from the name service where it knows the user", () => {
    const users = userDatabase(fakeGetent('echo "alice                 4 24 70000 x -1"'));
    expect(users.groupsOf(alice)).toEqual([1000, 4, 24, 70000]);
  });

  test("runs getent without the environment and never with an option for a name", () => {
    // Asked in a process of its own: what a process puts into its environment later isn't inherited.
    const script = `import { userDatabase } from ${JSON.stringify(join(import.meta.dir, "../../src/config/users.ts"))};
      console.log(userDatabase(JSON.parse(process.argv.at(-1))).byUid(7001)?.name);`;
    const leaky = fakeGetent('echo "$2$FSMON_TEST_LEAK:x:7001:1::/h:/s"');
    const run = Bun.spawnSync([process.execPath, "-e", script, JSON.stringify(leaky)], {
      env: { FSMON_TEST_LEAK: "leaked" },
    });
    expect(run.stdout.toString().trim()).toBe("7001");
    expect(userDatabase(fakeGetent('echo "-s:x:1:1::/h:/s"')).byName("-s")).toBeNull();
  });

  test("finds root on this very system", () => {
    expect(userDatabase().byUid(0)?.name).toBe("root");
    expect(userDatabase().byName("root")?.home).toStartWith("/");
    expect(userDatabase().groupsOf({ name: "root", uid: 0, gid: 0, home: "/root" })).toContain(0);
  });
});

test("idOf() takes what a uid can be and nothing else", () => {
  expect(["0", "1000", "4294967294"].map(idOf)).toEqual([0, 1000, 4_294_967_294]);
  for (const text of ["", "-1", "4294967295", "1e3", "0x10", " 1", "1 ", "99999999999", "bob"]) {
    expect(idOf(text)).toBeNull();
  }
});
