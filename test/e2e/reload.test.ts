// The daemon's life under a service manager and under a person's hands: SIGHUP, sd_notify, a second SIGINT.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ManagedPath } from "../../src/event.ts";
import { encodeEntry } from "../../src/managed/entry.ts";
import { type LogLine, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { managedPath } from "../support/managed-path.ts";
import { until } from "../support/wait.ts";
import { Workload } from "../support/workload.ts";

describe.skipIf(captureObstacle !== null)("a running daemon (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  beforeEach(() => {
    filesystem = TestFilesystem.mount("tmpfs");
    daemon = new TestDaemon();
    mkdirSync(join(daemon.home, ".local/share/fsmon"), { recursive: true });
  });
  afterEach(async () => {
    await daemon.destroy();
    filesystem.unmount();
  });
  const directory = (name: string) => filesystem.directory(name);
  const storeFile = (): string => join(daemon.home, ".local/share/fsmon/managed.jsonl");
  const entry = (path: string, wanted: Partial<ManagedPath> = {}): string =>
    `${encodeEntry(managedPath(path, { recursive: true, ...wanted }))}\n`;
  /** Sends SIGHUP and waits for what the daemon says to it. */
  async function hup(): Promise<string> {
    const from = daemon.stderr.length;
    daemon.signal("SIGHUP");
    return until("the daemon answers SIGHUP", () => {
      const said = daemon.stderr.slice(from);
      return /were read again\n|nothing was changed by SIGHUP.*\n/.test(said) ? said : null;
    });
  }
  const states = (path: string) =>
    // A further segment says that it goes on: sealing is another test's.
    daemon
      .lines(path)
      .flatMap((line) => (line.event_type === "WATCH" && line.state !== "continued" ? [line.state] : []));

  test("30 SIGHUPs in a storm, the filters changing each time: every event, no GAP", async () => {
    const storm = new Workload("storm");
    const root = directory("storm");
    const other = directory("other");
    await daemon.start();
    await daemon.add(root, "-r");
    const storming = storm.start("files", root, 2, 5000);
    let round = 0;
    for (; round < 30; round++) {
      writeFileSync(
        storeFile(),
        entry(root, { exclude: [`nothing-${round}`] }) + (round % 2 === 0 ? entry(other) : ""),
      );
      expect(await hup()).toContain("were read again");
    }
    await storming;
    await daemon.settle(root);
    const lines = daemon.events(root);
    for (const type of ["CREATE", "CLOSE_WRITE", "DELETE"]) {
      expect([type, lines.filter((line) => line.event_type === type).length]).toEqual([type, 10_000]);
    }
    expect(daemon.gaps(root)).toEqual([]);
    expect(states(root)).toEqual(["started", ...Array.from({ length: round }, () => "changed")]);
    storm.remove();
  });

  test("the `stopped` of a path whose filters were changed names those that it had at the end", async () => {
    const root = directory("root");
    await daemon.start();
    await daemon.add(root, "-r", "-m", "1000");
    await daemon.add(root, "-r", "-t", "delete");
    await daemon.fsmon("remove", root);
    const lines = daemon.lines(root) as (LogLine & { filters?: string })[];
    const filters = lines.flatMap((line) => (line.event_type === "WATCH" ? [line.filters] : []));
    expect(filters).toHaveLength(3);
    expect(filters[2]).toBe(filters[1]!);
    expect(filters[2]).not.toBe(filters[0]!);
  });

  test("SIGHUP takes up paths that came, went or changed in the store, and settings of the config", async () => {
    const [kept, gone, fresh] = ["kept", "gone", "fresh"].map(directory) as [string, string, string];
    await daemon.start();
    await daemon.add(kept, "-r");
    await daemon.add(gone, "-r");
    writeFileSync(storeFile(), entry(kept) + entry(fresh, { types: ["CREATE"] }));
    writeFileSync(
      daemon.configFile,
      `[socket]\npath = "${daemon.socketPath}"\n[logging]\nkeep_days = 3\nsegment_size = "4KB"\n`,
    );
    await hup();
    for (const path of [kept, gone, fresh]) writeFileSync(join(path, "f"), "x");
    await daemon.settle(kept);
    await daemon.settle(fresh);
    expect([kept, gone, fresh].map((path) => daemon.events(path).length > 0)).toEqual([true, false, true]);
    // What stays as it was is not touched.
    expect([states(kept), states(gone), states(fresh)]).toEqual([
      ["started"],
      ["started", "stopped"],
      ["started"],
    ]);
  });

  test("a new segment_size, or a max_size that wants smaller segments, holds for the logs that are open", async () => {
    const root = directory("root");
    await daemon.start();
    await daemon.add(root, "-r");
    const segments = () => readdirSync(daemon.logDir).filter((name) => name.includes(".0"));
    const write = async () => {
      for (let i = 0; i < 1500; i++) writeFileSync(join(root, `f${i}`), "x");
      await daemon.settle(root);
    };
    await write();
    expect(segments()).toEqual([]);
    for (const setting of ['segment_size = "4KB"', 'max_size = "2MB"']) {
      writeFileSync(daemon.configFile, `[socket]\npath = "${daemon.socketPath}"\n[logging]\n${setting}\n`);
      await hup();
      const before = segments().length;
      await write();
      expect(segments().length).toBeGreaterThan(before);
    }
    expect(daemon.gaps(root)).toEqual([]);
  });

  const REFUSED: Readonly<Record<string, [write: (root: string) => void, said: RegExp]>> = {
    "a config that is no TOML": [() => writeFileSync(daemon.configFile, "[socket\n"), /config\.toml:1:\d+: /],
    "an unknown key": [
      () => writeFileSync(daemon.configFile, "[logging]\nkeep_day = 1\n"),
      /:2:1: unknown key "keep_day"/,
    ],
    "another log directory": [
      () =>
        writeFileSync(
          daemon.configFile,
          `[socket]\npath = "${daemon.socketPath}"\n[logging]\ndir = "/tmp/elsewhere"\n`,
        ),
      /Cannot change \[logging\] dir from .* while the daemon runs/,
    ],
    "a broken line where a watched path stood": [
      (root) => writeFileSync(storeFile(), entry(root).replace("}", "")),
      /line 1 is broken \(it is not JSON\), and ".*" has no line any more/,
    ],
  };
  for (const [what, [write, said]] of Object.entries(REFUSED)) {
    test(`SIGHUP with ${what} is refused with the reason, and everything goes on as before`, async () => {
      const root = directory("root");
      await daemon.start();
      await daemon.add(root, "-r");
      write(root);
      expect(await hup()).toMatch(said);
      writeFileSync(join(root, "f"), "x");
      await daemon.settle(root);
      expect(daemon.events(root).map((line) => line.event_type)).toEqual(["CREATE", "CLOSE_WRITE"]);
      expect(states(root)).toEqual(["started"]);
    });
  }

  test("a broken line in the store is told with its number at the start, and the others work", async () => {
    const root = directory("root");
    const byHand = `{"path": 7}\n{"path":"${directory("runaway")}","only_cmd":["re:^(a+)+$"]}\n`;
    writeFileSync(storeFile(), byHand + entry(root));
    const runaway = 'Cannot use the pattern "re:^(a+)+$": it takes too long';
    const cannotUse = (said: string) => {
      expect(said).toContain('"path" is missing or no string');
      expect(said).toContain(runaway);
    };
    // Without a daemon, and with one.
    cannotUse((await daemon.fsmon("managed")).stderr);
    await daemon.start();
    cannotUse(daemon.stderr);
    expect(daemon.stderr).toMatch(/line 2 of .*managed\.jsonl is not used: Cannot use the pattern/);
    await daemon.settle(root);
    expect(await hup()).toContain(runaway);
    const managed = await daemon.fsmon("managed");
    cannotUse(managed.stderr);
    expect([managed.code, managed.stdout.split("\n").length]).toEqual([1, 2]);
    expect(states(root)).toEqual(["started"]);
    expect(readFileSync(storeFile(), "utf8")).toStartWith(byHand);
    // Mended, it is said no more; nor what was said of a path that is managed no more.
    const absent = join(directory("none"), "absent");
    const notes = async () => (await daemon.fsmon("health", "--json")).stdout;
    writeFileSync(storeFile(), byHand + entry(root) + entry(absent));
    await hup();
    expect(await notes()).toContain(`${absent} is pending`);
    writeFileSync(storeFile(), entry(root));
    await hup();
    expect(await notes()).not.toMatch(/is not used|is pending/);
  });

  for (const kind of ["a path", "an abstract name"] as const) {
    test(`tells the service manager at ${kind} READY, WATCHDOG, RELOADING and STOPPING`, async () => {
      const root = directory("root");
      const path = join(daemon.home, "notify.sock");
      const address = kind === "a path" ? path : `@fsmon-test-${process.pid}-${Date.now()}`;
      const told = await manager(address);
      try {
        await daemon.start([], ["env", `NOTIFY_SOCKET=${address}`, "WATCHDOG_USEC=200000"]);
        await until("READY", () =>
          told().some((one) => one.startsWith("READY=1\nSTATUS=watching 0 managed paths")),
        );
        await until("three WATCHDOGs", () => told().filter((one) => one === "WATCHDOG=1").length >= 3);
        writeFileSync(storeFile(), entry(root));
        await hup();
        const reloading = await until("RELOADING", () =>
          told().find((one) => one.startsWith("RELOADING=1\nMONOTONIC_USEC=")),
        );
        const monotonicUs = Number(/\d+$/.exec(reloading)?.[0]);
        expect(
          Math.abs(monotonicUs / 1e6 - Number(readFileSync("/proc/uptime", "latin1").split(" ")[0])),
        ).toBeLessThan(60);
        await until("READY again", () =>
          told().some((one) => one.includes("STATUS=watching 1 managed path")),
        );
        expect(told().indexOf(reloading)).toBeLessThan(
          told().findLastIndex((one) => one.startsWith("READY=1")),
        );
        await daemon.stop();
        await until("STOPPING", () => told().includes("STOPPING=1"));
        expect(told().at(-1)).toBe("STOPPING=1");
      } finally {
        told.end();
      }
    });
  }

  test("a service manager that is gone, or doesn't read, holds nothing up", async () => {
    const root = directory("root");
    await daemon.start(
      [],
      ["env", `NOTIFY_SOCKET=${join(daemon.home, "nobody")}`, "WATCHDOG_USEC=1", "WATCHDOG_PID=1"],
    );
    await daemon.add(root, "-r");
    await daemon.settle(root);
    expect(await daemon.stop()).toBe(0);
  });

  test("a second SIGINT ends at once, whatever is left to write", async () => {
    const root = directory("root");
    await daemon.start();
    await daemon.add(root, "-r");
    const storm = new Workload("storm");
    await daemon.whileStopped(() => {
      // More than a second's work.
      storm.run("files", root, 4, 60_000);
      storm.remove();
      daemon.signal("SIGINT");
    });
    const SIGINT_BIT = 0x2n;
    const caught = () =>
      BigInt(
        `0x${/^SigCgt:\s*([0-9a-f]+)/m.exec(readFileSync(`/proc/${daemon.pid}/status`, "latin1"))?.[1]}`,
      );
    await until("the first SIGINT was taken", () => (caught() & SIGINT_BIT) === 0n);
    daemon.signal("SIGINT");
    await daemon.ended();
    // It wrote neither what was left nor its end.
    expect(states(root)).toEqual(["started"]);
    expect(existsSync(join(daemon.logDir, "daemon.lock"))).toBe(true);
    // The next one knows.
    await daemon.start();
    expect(daemon.gaps(root)[0]?.reason).toBe("daemon_crashed");
  });
});

/** Listens as systemd does; what it was told so far. */
async function manager(address: string): Promise<(() => string[]) & { end(): void }> {
  const script = `import socket,sys
a=sys.argv[1]
s=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0"+a[1:] if a[0]=="@" else a)
print("ready",flush=True)
while True: print(repr(s.recv(4096).decode()).replace('"',"'")[1:-1],flush=True)`;
  const child = Bun.spawn(["python3", "-c", script, address], { stdout: "pipe", stderr: "inherit" });
  let text = "";
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) text += decoder.decode(chunk, { stream: true });
  })();
  await until("the manager listens", () => text.startsWith("ready\n"));
  const told = () =>
    text
      .split("\n")
      .slice(1, -1)
      .map((line) => line.replaceAll("\\n", "\n"));
  return Object.assign(told, { end: () => child.kill("SIGKILL") });
}
