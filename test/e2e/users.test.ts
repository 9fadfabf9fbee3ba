// Who a process is: its real user at the time of the event, by the name that the system's own lookup gives.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LogLine, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, run, TestFilesystem } from "../support/filesystem.ts";
import { until } from "../support/wait.ts";
import { runResting, Workload } from "../support/workload.ts";

/** A module that glibc comes with and nobody uses: the test's own takes its place, for the daemon alone. */
const MODULE = [
  "/usr/lib/x86_64-linux-gnu/libnss_hesiod.so.2",
  "/usr/lib/aarch64-linux-gnu/libnss_hesiod.so.2",
  "/usr/lib64/libnss_hesiod.so.2",
].find((path) => existsSync(path));
const loginuid = existsSync("/proc/self/loginuid");

describe.skipIf(captureObstacle !== null || MODULE === undefined)(
  "users (needs root, mounts and a replaceable name service module)",
  () => {
    let filesystem: TestFilesystem;
    let daemon: TestDaemon;
    let guise: Workload;
    let place: string;
    beforeAll(async () => {
      guise = new Workload("guise");
      filesystem = TestFilesystem.mount("tmpfs");
      place = mkdtempSync(join(tmpdir(), "fsmon-nss-"));
      const source = join(import.meta.dir, "../support/nss.c");
      const library = join(place, "module.so");
      const delayFile = `-DDELAY_FILE="${join(place, "delay")}"`;
      run([process.env.CC || "cc", "-shared", "-fPIC", "-Wall", "-Wextra", delayFile, "-o", library, source]);
      const conf = join(place, "nsswitch.conf");
      writeFileSync(conf, "passwd: files hesiod\n");
      const script = `mount --bind ${conf} /etc/nsswitch.conf && mount --bind ${library} ${MODULE} && exec "$@"`;
      answerAfter(0);
      daemon = await new TestDaemon().start([], ["unshare", "-m", "sh", "-c", script, "sh"]);
    });
    afterAll(async () => {
      await daemon?.destroy();
      filesystem?.unmount();
      guise?.remove();
      if (place !== undefined) rmSync(place, { recursive: true, force: true });
    });

    function answerAfter(delayMs: number): void {
      writeFileSync(join(place, "delay"), String(delayMs));
    }

    const managed = (name: string, ...flags: string[]) =>
      daemon.add(filesystem.directory(name), "-r", ...flags);

    async function made(root: string): Promise<LogLine[]> {
      await daemon.settle(root);
      return daemon.events(root).filter((line) => line.event_type === "CREATE");
    }

    /** The daemon has read all of it that comes before a rest. */
    const resting = (root: string, ...argv: (string | number)[]) =>
      runResting(() => daemon.settle(root), ...argv);
    const as = (uid: number, ...argv: string[]) =>
      run(["setpriv", `--reuid=${uid}`, "--clear-groups", ...argv]);

    test("have the name that a directory server gives, on the very first line", async () => {
      const root = await managed("directory");
      answerAfter(5);
      // The daemon waits for 200 ms, and not again for 10 s if that wasn't enough: a busy machine has to start the asking program as well.
      let next = 70_100;
      await until("three of them", async () => {
        const uids = [next++, next++, next++];
        for (const uid of uids) as(uid, "touch", join(root, String(uid)));
        const lines = (await made(root)).slice(-uids.length);
        for (const [i, uid] of uids.entries()) {
          const { user, user_reason } = lines[i] as LogLine & { user_reason?: string };
          expect([`directory-user-${uid}`, `${uid} lookup_slow`]).toContain(
            user_reason === undefined ? String(user) : `${user} ${user_reason}`,
          );
        }
        return lines.every((line, i) => line.uid === uids[i] && line.user !== String(uids[i]));
      });
      answerAfter(0);
    });

    test("have the number where no name exists, and nothing else", async () => {
      const root = await managed("nobody");
      as(80001, "touch", join(root, "a"));
      const [line] = await made(root);
      expect(line).toMatchObject({ user: "80001" });
      for (const key of ["uid", "user_reason"]) expect(line).not.toHaveProperty(key);
    });

    test("have the number with the reason where the lookup takes too long, and the name later; nothing stands still", async () => {
      const root = await managed("slow");
      // Until it is let go below.
      answerAfter(3_600_000);
      as(70010, "touch", join(root, "a"));
      const [early] = await made(root);
      expect(early).toMatchObject({ user: "70010", user_reason: "lookup_slow" });
      // The daemon is at work while it waits.
      expect((await daemon.fsmon("managed")).code).toBe(0);
      answerAfter(0);
      await until("the name is known", async () => {
        as(70010, "touch", "-a", join(root, "a"));
        await daemon.settle(root);
        return daemon.events(root).at(-1)?.user === "directory-user-70010";
      });
    });

    test("follow daemons that drop their rights, and tell the effective user where it differs", async () => {
      const root = await managed("rights");
      await resting(root, guise.program, root, "drop", 33);
      await resting(root, guise.program, root, "effective", 33);
      const lines = await made(root);
      expect(lines.map((line) => `${what(line)} ${line.user} ${line.euid ?? ""}`)).toEqual([
        "before root ",
        "after www-data ",
        "child www-data ",
        "effective root 33",
      ]);
      expect(lines[0]).not.toHaveProperty("who", "changed_meanwhile");
    });

    test("are the first thread's where a thread acts as another, and the line says so", async () => {
      const root = await managed("thread");
      await resting(root, guise.program, root, "thread-user");
      const lines = await made(root);
      expect(lines.map((line) => [what(line), line.user, line.who === "threads_differ"])).toEqual([
        ["first", "root", false],
        ["raw", "root", true],
        ["then", "root", false],
      ]);
    });

    test("are those of the thread that executed a program, whatever the first one's are", async () => {
      const root = await managed("thread-exec");
      const program = join(filesystem.path, "readable-by-all");
      copyFileSync(guise.program, program);
      for (let i = 0; i < 10; i++) guise.run(root, "thread-user-exec", program);
      await resting(root, program, root, "first-user-exec", program);
      const lines = await made(root);
      const told = (line: LogLine) => `${what(line)} ${line.user}${line.who === "threads_differ" ? "?" : ""}`;
      expect(Map.groupBy(lines, told).keys().toArray().toSorted()).toEqual([
        "kept daemon?",
        "plain root",
        "plain www-data",
      ]);
      expect(lines.length).toBe(12);
    });

    test("are who runs a setuid program, not whom it acts as", async () => {
      const root = await managed("setuid");
      const program = join(filesystem.path, "setuid-program");
      copyFileSync(guise.program, program);
      chownSync(program, 33, 33);
      chmodSync(program, 0o4755);
      as(1, program, root, "plain");
      const [line] = await made(root);
      expect(line).toMatchObject({ cmd: "setuid-program", user: "daemon", uid: 1, euid: 33 });
    });

    test.skipIf(spawnSync("sudo", ["-n", "-u", "www-data", "true"]).status !== 0 || !loginuid)(
      "are those that sudo and su make, and login says who is behind them (needs sudo and CONFIG_AUDIT)",
      async () => {
        const root = await managed("sudo");
        const [bySudo, bySu] = [join(root, "sudo"), join(root, "su")];
        const script = `echo 2 > /proc/self/loginuid && sudo -n -u www-data touch ${bySudo} && su -s /bin/sh www-data -c 'touch ${bySu}; true'; printf .; dd bs=1 count=1 2>/dev/null >&2`;
        // The session lives until all of it is read.
        await resting(root, "sh", "-c", script);
        const lines = await made(root);
        expect(lines.map(({ cmd, user }) => [cmd, user])).toEqual([
          ["touch", "www-data"],
          ["touch", "www-data"],
        ]);
        for (const line of lines) expect(line).toMatchObject({ login: "bin" });
      },
    );

    test.skipIf(!loginuid)(
      "have a login whose name nothing waits for: the number with the reason at first (needs CONFIG_AUDIT)",
      async () => {
        const root = await managed("login");
        const script = `echo 70020 > /proc/self/loginuid; while read name; do touch ${root}/$name; done`;
        const session = Bun.spawn(["sh", "-c", script], { stdin: "pipe" });
        const touched = async (name: string) => {
          session.stdin.write(`${name}\n`);
          session.stdin.flush();
          return until("the file is there", async () =>
            (await made(root)).find(({ path }) => path.endsWith(`/${name}`)),
          );
        };
        answerAfter(300);
        const early = await touched("early");
        answerAfter(0);
        expect(early).toMatchObject({ user: "root", login: "70020", login_reason: "lookup_slow" });
        let count = 0;
        const line = await until("the login has its name", async () => {
          const next = await touched(`late${count++}`);
          return next.login === "70020" ? null : next;
        });
        session.stdin.end();
        await session.exited;
        expect(line).toMatchObject({ login: "directory-user-70020" });
        expect(line).not.toHaveProperty("login_reason");
      },
    );

    test.skipIf(!loginuid)(
      "have login, unit and container of the nearest ancestor that lives where the process is gone, marked so (needs CONFIG_AUDIT)",
      async () => {
        const root = await managed("inherited", "--details");
        await using group = controlGroup();
        const script = `echo 2 > /proc/self/loginuid; ${group.enter} sh -c 'touch ${join(root, "a")}; true'; echo done; read line`;
        const session = await daemon.whileStopped(async () => {
          const child = Bun.spawn(["sh", "-c", script], { stdin: "pipe", stdout: "pipe" });
          await child.stdout.getReader().read();
          return child;
        });
        const [line] = await made(root);
        session.stdin.end();
        await session.exited;
        expect(line).toMatchObject({ cmd: "touch", login: "bin", ...group.keys });
        const inherited = ["login", ...Object.keys(group.keys)];
        expect(line).toMatchObject({ inherited: expect.arrayContaining(inherited) });
      },
    );

    test("come with parent, ancestry, unit and container on request, and the command line by a request of its own", async () => {
      const root = await managed("details", "--details", "--args");
      const plain = await managed("plain");
      await using group = controlGroup();
      const script = `${group.enter} guise() { ${guise.program} "$@"; }; guise ${root} stay; guise ${plain} plain; true`;
      await resting(root, "sh", "-c", script);
      const [line] = await made(root);
      expect(line).toMatchObject({ parent: "sh", args: [guise.program, root, "stay"], ...group.keys });
      expect(line?.ancestry).toMatch(/>sh>guise$/);
      expect(line?.ancestry).not.toStartWith("?");
      const [other] = await made(plain);
      for (const key of ["parent", "args", "ancestry", "unit"]) expect(other).not.toHaveProperty(key);
    });
  },
);

const what = (line: LogLine) => line.path.split("/").at(-1)?.split(".")[0];

/** A control group as a container has it, for a shell to enter, and what lines then say of it; nothing where none can be made. */
function controlGroup() {
  const id = "0123456789abcdef".repeat(4);
  const mount = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .find((line) => line.split(" ")[2] === "cgroup2");
  if (mount === undefined) return { enter: "", keys: {}, async [Symbol.asyncDispose]() {} };
  const service = join(mount.split(" ")[1]!, "fsmon-test.service");
  const path = join(service, `docker-${id}.scope`);
  mkdirSync(path, { recursive: true });
  return {
    enter: `echo $$ > ${path}/cgroup.procs; `,
    keys: { unit: `docker-${id}.scope`, container: id.slice(0, 12) },
    /** Busy until the last process in it is gone for good. */
    async [Symbol.asyncDispose]() {
      await until("the control group is empty", () => spawnSync("rmdir", [path, service]).status === 0);
    },
  };
}
