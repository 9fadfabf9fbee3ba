// fsmon at its main job, on real input: the compiled daemon watches a fresh tree, real programs work in it, and then the
// log is asked a few questions with the commands a person would type. Ends by itself and leaves nothing behind.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Stage } from "./demo/stage.ts";
import { main, Obstacle } from "./setup/step.mjs";

const WRITTEN_MS_MAX = 15_000;
/** As many processes, each of which lives for about a millisecond: /proc would be too late for most of them. */
const BURST = 200;

await main(async () => {
  const interruption = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => interruption.abort(signal));
  }
  const stage = new Stage(interruption.signal);
  try {
    await watch(stage);
    await work(stage);
    await ask(stage);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    console.error("Stopped; the daemon and its folder are gone");
    return 130;
  } finally {
    await stage.close();
  }
  console.log("\nThe daemon is stopped and its folder removed. Next, for files of your own:");
  console.log("  sudo ./fsmon daemon            in one terminal,");
  console.log("  ./fsmon add -r ~/some/folder   in another, and when something has changed there:");
  console.log("  ./fsmon query --since 10m");
  return 0;
});

async function watch(stage: Stage): Promise<void> {
  say(`A daemon with a HOME of its own, in ${stage.dir}, watches a fresh tree.`);
  mkdirSync(join(stage.dir, "site/pages"), { recursive: true });
  writeFileSync(join(stage.dir, "site/pages/index.html"), "<h1>Hello</h1>\n");
  writeFileSync(join(stage.dir, "site/pages/about.html"), "<h1>About us</h1>\n");
  await stage.startDaemon();
  await stage.show("fsmon add -r site");
  await stage.show("fsmon managed");
}

async function work(stage: Stage): Promise<void> {
  say("Programs work there.");
  if ((await stage.output("command -v git")) === "") {
    console.log("(git is not installed here, so it takes no part)");
  } else {
    await stage.show("git init -q -b main site");
    await stage.output("cd site && git config user.name Ada && git config user.email ada@example.org");
    await stage.show("cd site && git add . && git commit -q -m 'First pages'");
    await stage.show("cd site && git checkout -q -b draft && git mv pages/about.html pages/us.html");
  }
  await stage.show("sed -i s/Hello/Welcome/ site/pages/index.html");
  await stage.show("mkdir -p site/cache/today && mv site/cache/today site/cache/monday");
  await stage.show(`seq ${BURST} | xargs -P 4 -I{} touch site/cache/monday/{}.html`);
  await stage.show("chown -R nobody site/cache && runuser -u nobody -- rm -rf site/cache/monday");

  const last = `fsmon query --path site | grep -c '"event_type":"DELETE","path":"[^"]*/cache/monday"'`;
  await stage.until(
    "the last change to be in the log",
    WRITTEN_MS_MAX,
    async () => Number(await stage.output(last)) > 0,
  );
}

async function ask(stage: Stage): Promise<void> {
  await answer(stage, {
    question: "Who deleted 117.html?",
    command: `fsmon query --path site | grep /117.html | grep '"DELETE"'`,
    expected: /"cmd":"rm","user":"nobody"/,
  });
  await answer(stage, {
    question: "What happened to index.html?",
    command: "fsmon query --path site | grep -F /index.html",
    expected: /"MOVED_TO".*"cmd":"sed"/,
  });
  await answer(stage, {
    question: "What did git do?",
    command: `fsmon query --path site | grep '"cmd":"git"' | grep -o '"event_type":"[A-Z_]*"' | sort | uniq -c`,
    expected: /"CLOSE_WRITE"/,
  });
  await answer(stage, {
    question: `Was each of the ${BURST} short-lived processes known when it made its file?`,
    command: `fsmon query --path site --since 5m | grep '"CREATE"' | grep -c '"cmd":"touch"'`,
    expected: new RegExp(`^${BURST}$`, "m"),
  });
  await answer(stage, {
    question: "What does the log look like?",
    command: "wc -l home/.local/state/fsmon/*_log.jsonl && head -n 3 home/.local/state/fsmon/*_log.jsonl",
    expected: /"event_type":"WATCH"/,
  });
}

/** Shows a question and its answer; another answer than the expected one is a defect of fsmon, and said. */
async function answer(
  stage: Stage,
  { question, command, expected }: { question: string; command: string; expected: RegExp },
): Promise<void> {
  say(question);
  const output = await stage.show(command);
  if (!expected.test(output)) {
    throw new Obstacle(`fsmon has not recorded what happened: ${expected} should match the answer above`);
  }
}

function say(sentence: string): void {
  console.log(`\n${sentence}`);
}
