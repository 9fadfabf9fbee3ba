// What README.md shows is what happens: each of its console examples is typed on a small web server of its own, in order, and
// what is said is compared with what is shown.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Example, examplesOf, isAsShown, masked } from "../support/console.ts";
import { captureObstacle } from "../support/filesystem.ts";
import { until } from "../support/wait.ts";
import { type Ongoing, type User, WebServer } from "../support/web-server.ts";

const EXAMPLES = examplesOf(readFileSync(join(import.meta.dir, "../../README.md"), "utf8"));
const ONGOING = /^(sudo )?fsmon (daemon|watch)\b/;
/** They say the same however often they are asked, so one that is ahead of the log is asked again. */
const QUESTION = /^fsmon (query|who|health|managed|doctor)\b/;
const HOUR_MS = 3_600_000;
/** A slow machine's working day, with the questions. */
const NEAR_MS = 90_000;

/** nginx is played by a shell of that name, all others play themselves. */
const PROGRAMS = {
  nginx:
    '#!/bin/sh\necho "GET /$1" >> /srv/shop/log/access.log\nhead -c "$2" /dev/zero > /srv/shop/cache/"$1".html\n',
};

/** What has happened on the server before the recipes' questions are asked: who, what, and the line that it ends with in the log. */
const WORKING_DAY: readonly (readonly [User, string, RegExp?])[] = [
  ["root", "install -d -o www-data /srv/shop /srv/shop/log /srv/shop/cache"],
  ["root", "install -d -m 777 /srv/shop/pages /srv/shop/uploads"],
  ["root", "mkdir release; echo new > release/cart.html; head -c 5000 /dev/zero > release/shop.css"],
  ["root", "tar -cf release.tar -C release shop.css cart.html"],
  ["alice", "fsmon add -r /srv/shop"],
  ["www-data", "nginx index 3000", /CLOSE_WRITE.*index\.html/],
  ["www-data", "nginx cart 4000", /CLOSE_WRITE.*cache\/cart\.html/],
  ["alice", "tar -xf ~/release.tar -C /srv/shop/pages", /CLOSE_WRITE.*pages\/cart/],
  ["alice", "rm /srv/shop/pages/shop.css", /DELETE_SELF.*shop\.css/],
  [
    "bob",
    "dd if=/dev/zero of=/srv/shop/uploads/film.mkv bs=1M count=20 status=none",
    /CLOSE_WRITE.*film\.mkv/,
  ],
  ["bob", "rm /srv/shop/uploads/film.mkv", /DELETE_SELF.*film\.mkv/],
  ["www-data", "nginx about 2000", /CLOSE_WRITE.*about\.html/],
  ["www-data", "rm /srv/shop/cache/index.html", /DELETE_SELF.*index\.html/],
];

async function workingDay(server: WebServer): Promise<void> {
  // The histogram has a row for each hour.
  await until("the hour is not about to end", () => Date.now() % HOUR_MS < HOUR_MS - NEAR_MS);
  for (const [user, line, last] of WORKING_DAY) {
    const done = await server.run(line, user);
    if (done.code !== 0) throw new Error(`${line}: ${done.stdout}`);
    // What follows too fast meets a file of another size, or none.
    if (last !== undefined)
      await until(line, async () => last.test((await server.run("fsmon query -p /srv/shop")).stdout));
  }
}

const TRIMMING = "Trimming the logs";
const LOGS = "cd ~/.local/state/fsmon || exit;";
/** Of each sealed segment: its lines, and those from before the recipe's date. */
const LENGTHS = `${LOGS} for log in *.*_log.jsonl; do echo $(wc -l < $log) $(grep -c 2026-04-30 $log); done`;

/** Gives each log a segment with lines that are too old, and more than 500 that are not. */
async function fillLogs(server: WebServer): Promise<void> {
  const { stdout } = await server.run(
    `${LOGS} for log in *_log.jsonl; do line=$(tail -n 1 $log)
    { yes "{\\"time\\":\\"2026-04-30\${line#*\\"time\\":\\"??????????}" | head -n 3; yes "$line" | head -n 700; } > \${log%_*}.000001_log.jsonl
    done; ${LENGTHS}`,
  );
  expect(stdout).toBe("703 3\n703 3\n");
}

describe.skipIf(captureObstacle !== null || Bun.which("jq") === null)(
  "README.md, as typed (needs root, mounts and jq)",
  () => {
    const server = new WebServer(PROGRAMS);
    beforeAll(() => server.start());
    afterAll(() => server.end());

    const ongoing = new Map<Ongoing, Example>();
    const wrong = (example: Example, said: string) =>
      `$ ${example.command}\n${said}\n--- masked, said:\n${masked(said)}\n--- masked, shown:\n${masked(example.output)}`;

    /** A person types slowly; at a machine's pace a file may be gone when its size is asked for. */
    const hasSeenAll = async () =>
      /"queue":\{"now":0,/.test((await server.run("fsmon health --json")).stdout);

    /** README_SHOW=1 prints what is said now, to be put on the page. */
    const isShowing = process.env.README_SHOW !== undefined;

    async function typed(example: Example): Promise<void> {
      if (ONGOING.test(example.command)) {
        ongoing.set(server.begin(example.command), example);
        // The next command is typed when it has said its first words.
        await until("it has begun", () => [...ongoing.keys()].at(-1)!.output !== "");
        return;
      }
      let said = "";
      const isRight = async () => {
        said = (await server.run(example.command)).stdout;
        return isAsShown(example.output, said);
      };
      if (isShowing) {
        await Bun.sleep(200);
        await isRight();
        console.log(`$ ${example.command}\n${said}`);
        return;
      }
      if (QUESTION.test(example.command)) await until("", isRight, () => wrong(example, said));
      else if (!(await isRight())) throw new Error(wrong(example, said));
      else if (ongoing.size > 0) await until("the daemon has seen it", hasSeenAll);
    }

    for (const section of new Set(EXAMPLES.map((example) => example.section))) {
      test(section, async () => {
        if (section === "Recipes") await workingDay(server);
        if (section === TRIMMING) await fillLogs(server);
        for (const example of EXAMPLES.filter((one) => one.section === section)) await typed(example);
        for (const [command, example] of ongoing) {
          if (isShowing) console.log(`$ ${command.command}\n${command.output}`);
          await until(
            "",
            () => isAsShown(example.output, command.output),
            () => wrong(example, command.output),
          );
          if (command.command.startsWith("fsmon watch")) await server.stop(command);
        }
        ongoing.clear();
        if (section === TRIMMING)
          expect(await server.run(LENGTHS)).toMatchObject({ stdout: "500 0\n500 0\n" });
      });
    }

    test("there are examples", () => {
      expect(EXAMPLES.length).toBeGreaterThan(20);
    });
  },
);
