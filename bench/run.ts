// npm run bench -- [SECTION…] [--rounds N] [--save]
//
// Runs every section (or those that are named), prints a table for each question, and at the end how the figures stand against the
// goals. --save puts the tables into RESULTS.md, each in its place; what isn't run keeps its last figures. Needs root, and a machine
// that is left in peace.
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { main, Obstacle } from "../scripts/setup/step.mjs";
import { captureObstacle } from "../test/support/filesystem.ts";
import { backlog } from "./backlog.ts";
import { cleaning } from "./cleaning.ts";
import { commands } from "./commands.ts";
import { growth } from "./growth.ts";
import { latency } from "./latency.ts";
import { resident } from "./memory.ts";
import { ours } from "./ours.ts";
import { outside } from "./outside.ts";
import { processes } from "./processes.ts";
import { RIVALS } from "./rivals.ts";
import type { Answer, Goal, Section } from "./section.ts";
import { startup } from "./startup.ts";
import { storm } from "./storm.ts";
import { table } from "./table.ts";
import { load } from "./timing.ts";

const SECTIONS: readonly Section[] = [
  storm,
  backlog,
  outside,
  processes,
  resident,
  startup,
  latency,
  commands,
  cleaning,
  growth,
];
const ROUNDS = 5;
const RESULTS = join(import.meta.dir, "RESULTS.md");

await main(async () => {
  if (captureObstacle !== null) throw new Obstacle(`The benchmark ${captureObstacle}`, "run it as root");
  const { names, rounds, save } = readArguments(process.argv.slice(2));
  const chosen = names.length === 0 ? SECTIONS : SECTIONS.filter(({ name }) => names.includes(name));
  console.log(`${machine()}\n`);
  for (const rival of RIVALS)
    if (rival.version === null) console.log(`${rival.name} is left out: ${rival.obstacle}`);
  const goals: Goal[] = [];
  for (const section of chosen) {
    const before = load();
    const answer = await section.run(rounds);
    const text = `${described(answer)}\n\n${stamp(rounds, before)}`;
    console.log(`## ${section.title}\n\n${text}\n`);
    goals.push(...answer.goals);
    if (save) put(section, text);
  }
  const missed = goals.filter((goal) => !goal.met);
  console.log(`${goals.length - missed.length} of ${goals.length} goals are met.`);
});

function described({ text, goals }: Answer): string {
  if (goals.length === 0) return text;
  const rows = goals.map(({ what, goal, figure, met }) => [what, goal, figure, met ? "yes" : "**missed**"]);
  return `${text}\n\n${table(["to reach", "goal", "figure", "met"], rows)}`;
}

/** Machine, kernel, versions: in RESULTS.md and at the head of each run. */
function machine(): string {
  const release = readFileSync("/proc/sys/kernel/osrelease", "latin1").trim();
  const model = cpus()[0]?.model ?? process.arch;
  const rivals = RIVALS.filter(({ version }) => version !== null).map(
    ({ name, version }) => `${name} ${version}`,
  );
  return `${cpus().length} × ${model}, Linux ${release}; ${ours.version}; ${rivals.join(", ")}`;
}

function stamp(rounds: number, loadBefore: string | undefined): string {
  const date = new Date().toISOString().slice(0, 16).replace("T", " ");
  return `_${date} UTC; ${rounds} rounds, median (lowest – highest); load ${loadBefore} before, ${load()} after. ${machine()}._`;
}

/** Replaces what stands between the section's marks. */
function put({ name, title }: Section, text: string): void {
  const [from, to] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const results = readFileSync(RESULTS, "utf8");
  const [before, rest] = split(results, from);
  const [, after] = split(rest, to);
  writeFileSync(RESULTS, `${before}${from}\n\n## ${title}\n\n${text}\n\n${to}${after}`);
}

function split(text: string, at: string): [string, string] {
  const index = text.indexOf(at);
  if (index < 0) throw new Error(`RESULTS.md lacks ${at}`);
  return [text.slice(0, index), text.slice(index + at.length)];
}

function readArguments(args: readonly string[]): { names: string[]; rounds: number; save: boolean } {
  const names: string[] = [];
  let rounds = ROUNDS;
  let save = false;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--save") save = true;
    else if (arg === "--rounds") rounds = Number(args[++i]);
    else if (SECTIONS.some(({ name }) => name === arg)) names.push(arg);
    else
      throw new Obstacle(
        `There is no section "${arg}"`,
        `one of: ${SECTIONS.map(({ name }) => name).join(", ")}; --rounds N; --save`,
      );
  }
  return { names, rounds, save };
}
