// A long life in short: millions of events with adds, removes, cleans, rotations and reloads at random between them, and a look
// at what the daemon holds, again and again. Says at the end whether memory, descriptors or kernel marks have grown, and
// whether every event was logged. Needs root. Not part of the tests.
//
//   npm run soak -- [EVENTS] [SEED]      10,000,000 events unless said otherwise
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { memory } from "../bench/usage.ts";
import { TestDaemon } from "../test/support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../test/support/filesystem.ts";
import { until } from "../test/support/wait.ts";
import { Workload } from "../test/support/workload.ts";
import { main, Obstacle } from "./setup/step.mjs";

const PROCESSES = 2;
const FILES = 2500;
/** CREATE, CLOSE_WRITE, ATTRIB, DELETE, DELETE_SELF of each file. */
const LINES_A_ROUND = PROCESSES * FILES * 5;
/** How often the daemon is left in peace and looked at. */
const LOOKS = 20;
/**
 * Before this share of the looks the engine still compiles and bounded tables fill (docs/bounds.md): removed directories,
 * sizes, places. With 10 million events all are full by then; a shorter soak tells less.
 */
const WARM_UP = 0.4;
/** Of what a garbage collector may have left at the moment of a look. */
const GROWTH_MAX_KB = 4096;

interface Look {
  events: number;
  memoryKb: number;
  /** Besides the log of each managed path. */
  descriptors: number;
  marks: number;
}

await main(async () => {
  const [events = "10000000", seed = "1"] = process.argv.slice(2);
  if (captureObstacle !== null) throw new Obstacle(`The soak ${captureObstacle}`, "run it as root");
  const rounds = Math.ceil(Number(events) / LINES_A_ROUND);
  const filesystem = TestFilesystem.mount("tmpfs");
  const daemon = new TestDaemon();
  const storm = new Workload("storm");
  try {
    const life = new Life(filesystem.path, daemon, storm, random(Number(seed)));
    const startedMs = performance.now();
    const looks = await life.live(rounds);
    return verdict(looks, rounds * LINES_A_ROUND, life, performance.now() - startedMs);
  } finally {
    await daemon.destroy();
    filesystem.unmount();
    storm.remove();
  }
});

class Life {
  readonly done: Record<string, number> = {};
  logged = 0;
  private managed = 0;
  private readonly root: string;
  private readonly looks: Look[] = [];

  constructor(
    private readonly place: string,
    private readonly daemon: TestDaemon,
    private readonly storm: Workload,
    private readonly next: (below: number) => number,
  ) {
    this.root = join(place, "root");
  }

  async live(rounds: number): Promise<Look[]> {
    const { daemon, root } = this;
    mkdirSync(root);
    for (let i = 0; i < 8; i++) mkdirSync(join(this.place, `side${i}/a/b/c`), { recursive: true });
    const settings = '[logging]\nsegment_size = "1MB"\nmax_size = "16MB"\n';
    writeFileSync(daemon.configFile, `[socket]\npath = "${daemon.socketPath}"\n${settings}`);
    await daemon.start();
    await daemon.add(root, "-r");
    for (let round = 1; round <= rounds; round++) {
      const storming = this.storm.start("files", root, PROCESSES, FILES);
      for (let i = 0; i < 3; i++) await this.disturb();
      await storming;
      await this.settled(round * LINES_A_ROUND);
      if (round % Math.max(1, Math.floor(rounds / LOOKS)) !== 0) continue;
      await this.rest();
      this.looks.push(this.look(round * LINES_A_ROUND));
      console.error(`${round} of ${rounds} rounds: ${JSON.stringify(this.looks.at(-1))}`);
    }
    return this.looks;
  }

  /** One of the things that happen to a daemon in the course of months. */
  private async disturb(): Promise<void> {
    const { daemon, next } = this;
    const side = join(this.place, `side${next(8)}`);
    const kinds: Record<string, () => Promise<unknown> | unknown> = {
      add: () =>
        daemon.fsmon("add", side, "-r", ...(next(2) === 0 ? ["-e", `*.${next(100)}`, "-m", "1K"] : [])),
      remove: () => daemon.fsmon("remove", side),
      clean: () => daemon.fsmon("clean", "--max-size", `${1 + next(8)}MB`),
      rotate: () => this.rotate(),
      reload: () => daemon.signal("SIGHUP"),
      query: () => daemon.fsmon("query", "--since", "1s"),
      rename: () => this.storm.run("renamed", this.fresh(side), 1, 50),
    };
    const names = Object.keys(kinds);
    const name = names[next(names.length)] ?? "add";
    this.done[name] = (this.done[name] ?? 0) + 1;
    await kinds[name]?.();
  }

  /** Each time in the place of the last: what there is to know must not grow by itself. */
  private fresh(side: string): string {
    rmSync(join(side, "a"), { recursive: true, force: true });
    const path = join(side, "a/b/c", `round${this.next(1e9)}`);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** As logrotate does it; the old file goes. */
  private rotate(): void {
    const { logDir } = this.daemon;
    const logs = readdirSync(logDir).filter((name) => /^[0-9a-f]{16}_log\.jsonl$/.test(name));
    const name = logs[this.next(logs.length)];
    if (name === undefined) return;
    renameSync(join(logDir, name), join(logDir, "rotated"));
    rmSync(join(logDir, "rotated"));
  }

  private async settled(lines: number): Promise<void> {
    await until(
      `${lines} lines were logged`,
      async () => {
        const listed = (await this.daemon.fsmon("managed", "--json")).stdout.trim().split("\n");
        this.managed = listed.length;
        const row = listed.map((line) => JSON.parse(line)).find((one) => one.path === this.root);
        this.logged = row?.events_logged ?? 0;
        return this.logged >= lines;
      },
      () => `${this.logged} are there`,
    );
  }

  /** The daemon collects and gives back after three silent seconds (daemon/memory.ts): what is held shows only then. */
  private async rest(): Promise<void> {
    let leastKb = Number.POSITIVE_INFINITY;
    for (let quiet = 0, looks = 0; quiet < 10 && looks < 40; quiet++, looks++) {
      await Bun.sleep(500);
      const { memoryKb } = this.look(0);
      if (memoryKb < leastKb - 256) quiet = 0;
      leastKb = Math.min(leastKb, memoryKb);
    }
  }

  private look(events: number): Look {
    const { pid } = this.daemon;
    const descriptors = readdirSync(`/proc/${pid}/fd`);
    const fan = descriptors.find((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === "anon_inode:[fanotify]");
    return {
      events,
      memoryKb: memory(pid).anonymousKb,
      descriptors: descriptors.length - this.managed,
      marks: [...readFileSync(`/proc/${pid}/fdinfo/${fan}`, "latin1").matchAll(/^fanotify sdev/gm)].length,
    };
  }
}

function verdict(looks: readonly Look[], expected: number, life: Life, tookMs: number): number {
  const warm = looks.slice(Math.floor(looks.length * WARM_UP));
  const third = Math.max(1, Math.floor(warm.length / 3));
  const [first, last] = [warm.slice(0, third), warm.slice(-third)];
  const least = (some: readonly Look[], what: keyof Look) => Math.min(...some.map((one) => one[what]));
  const most = (some: readonly Look[], what: keyof Look) => Math.max(...some.map((one) => one[what]));
  const columns = (name: string, what: keyof Look) =>
    `| ${name} | ${least(first, what)} – ${most(first, what)} | ${least(last, what)} – ${most(last, what)} |`;
  console.log(
    `${expected} events in ${Math.round(tookMs / 1000)} s; between them ${JSON.stringify(life.done)}`,
  );
  console.log(`| | first third (after ${WARM_UP * 100} % warm-up) | last third |\n|---|---|---|`);
  console.log(columns("anonymous memory, KB", "memoryKb"));
  console.log(columns("descriptors", "descriptors"));
  console.log(columns("kernel marks", "marks"));
  console.log(`| lines logged of ${expected} | | ${life.logged} |`);
  const grown =
    least(last, "memoryKb") > least(first, "memoryKb") + GROWTH_MAX_KB ||
    most(last, "descriptors") > most(first, "descriptors") ||
    most(last, "marks") > most(first, "marks");
  const exact = life.logged === expected;
  console.log(grown ? "It has grown" : "No growth");
  if (!exact) console.log("Lines are missing or too many");
  return grown || !exact ? 1 : 0;
}

/** Repeatable: mulberry32. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
