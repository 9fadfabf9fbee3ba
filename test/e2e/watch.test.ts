// `fsmon watch` beside a real daemon: through a pipe and on a terminal (script(1) of bsdutils), while the log is sealed, cleaned and
// replaced, and paths come and go.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logHash } from "../../src/log/names.ts";
import { columnsOf } from "../../src/show/width.ts";
import { command, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { asPerson, PersonsDaemon } from "../support/person.ts";
import { until } from "../support/wait.ts";

/** All that were started: a test that fails must not leave one behind. */
const viewers: Viewer[] = [];
afterAll(() => {
  for (const viewer of viewers) viewer.abandon();
});

/** A viewer, and what it has shown. */
class Viewer {
  text = "";
  stderr = "";
  private readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;

  constructor(argv: readonly string[], env: Record<string, string>) {
    this.child = Bun.spawn([...argv], {
      cwd: "/",
      env: { ...env, TZ: "UTC" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    viewers.push(this);
    void this.collect(this.child.stdout, (text) => {
      this.text += text;
    });
    void this.collect(this.child.stderr, (text) => {
      this.stderr += text;
    });
  }

  private async collect(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
  }

  get pid(): number {
    return this.child.pid;
  }

  get rows(): string[] {
    return Bun.stripANSI(this.text).replaceAll("\r", "").split("\n").slice(0, -1);
  }

  shows(what: string): Promise<unknown> {
    return until(
      `the viewer shows ${what}`,
      () => this.text.includes(what),
      () => this.text.slice(-2000) + this.stderr,
    );
  }

  /** The program that script(1) runs: Ctrl-C goes to it, and script ends with its exit code (-e). */
  async endInside(): Promise<number> {
    for (const pid of this.children()) process.kill(pid, "SIGINT");
    return this.child.exited;
  }

  private children(): number[] {
    const list = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, "latin1").trim();
    return list === "" ? [] : list.split(" ").map(Number);
  }

  /** Without waiting for anything. */
  abandon(): void {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    for (const pid of this.children()) process.kill(pid, "SIGKILL");
    this.child.kill("SIGKILL");
  }

  /** Its exit code after a signal. */
  async end(signal: NodeJS.Signals = "SIGINT"): Promise<number> {
    this.child.kill(signal);
    return this.child.exited;
  }
}

describe.skipIf(captureObstacle !== null)("fsmon watch (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let tree = "";
  let marks = 0;

  beforeAll(async () => {
    filesystem = TestFilesystem.mount("tmpfs");
    tree = join(filesystem.path, "tree");
    mkdirSync(tree);
    daemon = await new TestDaemon().start();
    await daemon.add(tree, "-r");
  });
  afterAll(async () => {
    await daemon.destroy();
    filesystem.unmount();
  });

  /** Started, and showing what happens. */
  async function watching(...args: string[]): Promise<Viewer> {
    const viewer = new Viewer([daemon.binary, "watch", ...args], daemon.environment);
    await ready(viewer);
    return viewer;
  }

  /** Few marks, so that nothing has to be folded. */
  async function ready(viewer: Viewer, directory = tree): Promise<void> {
    await until(
      "the viewer shows the first event",
      async () => {
        const name = `mark-${marks++}`;
        writeFileSync(join(directory, name), "");
        unlinkSync(join(directory, name));
        for (let i = 0; i < 20 && !viewer.text.includes("mark-"); i++) await Bun.sleep(5);
        return viewer.text.includes("mark-");
      },
      () => viewer.text + viewer.stderr,
    );
  }

  // After a stop, what was made in its last clock tick may be told once more, as found.
  const pathsIn = (text: string, prefix: string) =>
    [...text.matchAll(/"event_type":"CREATE","path":"([^"]*)"(?!.*"origin":"scan")/g)]
      .map((match) => match[1] ?? "")
      .filter((path) => path.includes(prefix));

  test("one aligned line an event, with the path relative to the managed one", async () => {
    const viewer = await watching();
    writeFileSync(join(tree, "hello"), "12345");
    renameSync(join(tree, "hello"), join(tree, "bye\x1b[31m"));
    await viewer.shows("MOVE_SELF");
    const rows = viewer.rows.filter((row) => /hello|bye/.test(row));
    expect(rows[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} CREATE {6}root +bun(\.exe)? +\dB hello$/);
    expect(rows.some((row) => row.endsWith("bye\\e[31m <- hello"))).toBe(true);
    expect(viewer.text).not.toContain("\x1b");
    const columns = rows.filter((row) => !row.includes("<-")).map((row) => row.search(/ (hello|bye)/));
    expect(new Set(columns).size).toBe(1);
    expect(await viewer.end()).toBe(0);
  });

  test("--json: the log's lines across sealing, cleaning, replacing, removal and adding anew: each once, in order", async () => {
    const viewer = await watching("--json");
    const live = join(daemon.logDir, `${logHash(tree)}_log.jsonl`);
    const names: string[] = [];
    const make = (count: number) => {
      for (let i = 0; i < count; i++) {
        const path = join(tree, `seq-${names.length}`);
        writeFileSync(path, "");
        names.push(path);
      }
    };
    const settled = () => viewer.shows(names.at(-1)!);
    make(200);
    expect((await daemon.fsmon("clean", "--max-size", "1B")).code).toBe(0);
    make(200);
    await settled();
    expect((await daemon.fsmon("clean", "--keep-days", "0")).code).toBe(0);
    make(100);
    await settled();
    await command(["sh", "-c", `tail -n 3 "${live}" > "${live}.new" && mv "${live}.new" "${live}"`]);
    make(100);
    await settled();
    expect((await daemon.fsmon("remove", tree)).code).toBe(0);
    await daemon.add(tree, "-r");
    make(100);
    await settled();
    await daemon.stop();
    await daemon.start();
    make(100);
    await settled();
    expect(pathsIn(viewer.text, "seq-")).toEqual(names);
    const states = [...viewer.text.matchAll(/"state":"(\w+)"/g)].map((match) => match[1]);
    expect(states).toContain("stopped");
    expect(viewer.text).toContain('"reason":"daemon_stopped"');
    expect(await viewer.end()).toBe(0);
  });

  test("--since: the past and the present without a seam, while a storm goes on", async () => {
    const storm = new Viewer(
      ["sh", "-c", `i=0; while [ $i -lt 3000 ]; do : > ${tree}/seam-$i; i=$((i+1)); done`],
      daemon.environment,
    );
    const viewers: Viewer[] = [];
    for (let i = 0; i < 4; i++) {
      viewers.push(new Viewer([daemon.binary, "watch", "--json", "--since", "10m"], daemon.environment));
      await Bun.sleep(50);
    }
    const wanted = Array.from({ length: 3000 }, (_, i) => join(tree, `seam-${i}`));
    for (const viewer of viewers) {
      await viewer.shows("seam-2999");
      expect(pathsIn(viewer.text, "seam-")).toEqual(wanted);
      expect(await viewer.end("SIGTERM")).toBe(0);
    }
    await storm.end();
  });

  test("--since: what has passed has the form of what comes", async () => {
    writeFileSync(join(tree, "passed"), "");
    await daemon.settle(tree);
    const viewer = new Viewer([daemon.binary, "watch", "--since", "10m"], daemon.environment);
    await ready(viewer);
    expect(viewer.rows.some((row) => row.endsWith(" passed"))).toBe(true);
    expect(viewer.rows.filter((row) => row.includes(`${tree}/`))).toEqual([]);
    expect(await viewer.end()).toBe(0);
  });

  test("filters as in add, and paths", async () => {
    mkdirSync(join(tree, "in/deep"), { recursive: true });
    const byType = await watching("--json", "-t", "delete");
    const below = new Viewer(
      [daemon.binary, "watch", "--json", join(tree, "in"), "-e", "*.swp", "--only-cmd", "sh,bun,bun.exe"],
      daemon.environment,
    );
    await ready(below, join(tree, "in"));
    writeFileSync(join(tree, "in/deep/a"), "x");
    writeFileSync(join(tree, "in/deep/a.swp"), "x");
    writeFileSync(join(tree, "out"), "x");
    await command(["touch", join(tree, "in/touched")]);
    unlinkSync(join(tree, "out"));
    writeFileSync(join(tree, "in/last"), "");
    unlinkSync(join(tree, "in/last"));
    await below.shows("last");
    await byType.shows("last");
    expect(pathsIn(below.text, "/").filter((path) => !path.includes("mark-"))).toEqual([
      join(tree, "in/deep/a"),
      join(tree, "in/last"),
    ]);
    expect(new Set([...byType.text.matchAll(/"event_type":"(\w+)"/g)].map((match) => match[1]))).toEqual(
      new Set(["DELETE"]),
    );
    await below.end();
    await byType.end();
  });

  test("a path that is managed only while it runs, and silence is explained", async () => {
    const late = join(filesystem.path, "late");
    mkdirSync(late);
    const viewer = new Viewer([daemon.binary, "watch", late], daemon.environment);
    await until("it says that nothing will come", () => viewer.stderr.includes("is not managed"));
    await daemon.add(late, "-r");
    writeFileSync(join(late, "file"), "");
    await viewer.shows("recording begins");
    await viewer.shows(" file");
    await viewer.end();
    await daemon.fsmon("remove", late);
  });

  test("a line is shown within milliseconds of its being in the log", async () => {
    const viewer = await watching("--json");
    const live = join(daemon.logDir, `${logHash(tree)}_log.jsonl`);
    const delays: number[] = [];
    for (let i = 0; i < 30; i++) {
      const time = new Date().toISOString().replace("Z", "+00:00");
      const line = `{"time":"${time}","event_type":"CREATE","path":"${tree}/quick-${i}","pid":1,"cmd":"x","user":"root","file_size":0,"monitored_path":"${tree}"}\n`;
      const before = performance.now();
      appendFileSync(live, line);
      while (!viewer.text.includes(`quick-${i}"`)) await Bun.sleep(0);
      delays.push(performance.now() - before);
    }
    // Each begins right after the last was shown. Whoever looks at intervals would need a whole one each time; a busy machine only now
    // and then.
    expect(Math.min(...delays)).toBeLessThan(15);
    await viewer.end();
  });

  test("ends quietly with 0 when its reader goes away, even before anything happens", async () => {
    const script = `{ "$0" watch --json; echo "ended with $?" >&2; } | head -n 1`;
    const child = new Viewer(["sh", "-c", script, daemon.binary], daemon.environment);
    await ready(child);
    await until("it has ended", () => child.stderr.includes("ended with 0"));
    expect(child.stderr).toBe("ended with 0\n");
    expect(child.rows).toHaveLength(1);
  });

  test("a reader that stands still stops neither the daemon nor the end", async () => {
    const reader = Bun.spawn(["sh", "-c", `"$0" watch --json & echo $! ; wait; echo over`, daemon.binary], {
      env: daemon.environment,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    const stream = reader.stdout.getReader();
    const pid = Number(new TextDecoder().decode((await stream.read()).value).split("\n")[0]);
    let isWatching = false;
    void stream.read().then(() => {
      isWatching = true;
    });
    await until("it shows what happens", () => {
      writeFileSync(join(tree, "still"), "");
      return isWatching;
    });
    for (let i = 0; i < 4000; i++) writeFileSync(join(tree, `still-${i % 7}`), "x");
    await daemon.settle(tree);
    process.kill(pid, "SIGTERM");
    await until("it has ended, though its pipe is full", () => !existsSync(`/proc/${pid}`));
    let rest = "";
    for (let part = await stream.read(); !part.done; part = await stream.read())
      rest += new TextDecoder().decode(part.value);
    expect(rest).toContain("over");
  });

  const terminal = (columns: number, ...args: string[]) => {
    const line = `stty cols ${columns}; exec "${daemon.binary}" watch ${args.join(" ")}`;
    return new Viewer(["script", "-qefc", line, "/dev/null"], {
      ...daemon.environment,
      TERM: "xterm",
      SHELL: "/bin/sh",
    });
  };

  for (const columns of [14, 26, 36, 40, 80, 120]) {
    test(`on a terminal of ${columns} columns no line is longer, and kinds have colours`, async () => {
      const viewer = terminal(columns);
      await ready(viewer);
      const name = `${"日本 long name ".repeat(12)}.txt`;
      writeFileSync(join(tree, name), "");
      renameSync(join(tree, name), join(tree, "short"));
      unlinkSync(join(tree, "short"));
      const last = columns < 36 ? /^DEL\S* .*hort$/ : /DELETE_SELF .*short/;
      await until(
        "the last row",
        () => viewer.rows.filter((row) => last.test(row)).length >= (columns < 36 ? 2 : 1),
      );
      for (const row of viewer.rows) expect(columnsOf(row)).toBeLessThanOrEqual(columns);
      expect(viewer.text).toContain("\x1b[32mCRE");
      expect(viewer.text).toContain("\x1b[31mDEL");
      expect(await viewer.endInside()).toBe(0);
    });
  }

  test("on a terminal, what comes too fast is folded, none is uncounted, and it says so", async () => {
    const viewer = terminal(100);
    await ready(viewer);
    // Else the last marks would be folded with what comes.
    await until("every mark is shown", () =>
      viewer.rows.some((row) => row.includes("DELETE_SELF") && row.includes(`mark-${marks - 1}`)),
    );
    for (let i = 0; i < 5000; i++) writeFileSync(join(tree, `fold-${i}`), "");
    writeFileSync(join(tree, "in-the-end"), "");
    await daemon.settle(tree);
    const counted = (type: string) =>
      viewer.rows
        .filter((row) => row.includes(` ${type} `) && !row.includes("mark-") && !row.includes("sentinel"))
        .reduce((sum, row) => sum + Number(row.match(/\(([\d,]+) times\)/)?.[1]?.replace(",", "") ?? 1), 0);
    // 5,000 files, the last one and the sentinels, which may be folded with them.
    await until("all are counted", () => counted("CREATE") >= 5001);
    expect(counted("CREATE")).toBeLessThanOrEqual(5010);
    expect(viewer.text).toContain("repeats are folded");
    expect(viewer.rows.length).toBeLessThan(400);
    expect(await viewer.endInside()).toBe(0);
  });
});

test.skipIf(captureObstacle !== null)(
  "watch works for the unprivileged owner of the logs (needs root)",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "fsmon-watched-"));
    const daemon = new PersonsDaemon();
    try {
      await daemon.start();
      await daemon.add(directory, "-r");
      const viewer = new Viewer([...asPerson(), daemon.binary, "watch"], {
        PATH: "/usr/bin:/bin",
        HOME: daemon.home,
      });
      await until("it shows what happens", () => {
        writeFileSync(join(directory, "mine"), "");
        return viewer.text.includes("mine");
      });
      expect(await viewer.end("SIGINT")).toBe(0);
    } finally {
      await daemon.destroy();
      rmSync(directory, { recursive: true, force: true });
    }
  },
);
