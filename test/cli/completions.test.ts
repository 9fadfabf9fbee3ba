import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { COMMANDS } from "../../src/cli/table.ts";
import { type Home, MAIN, temporaryHome } from "./fsmon.ts";

/** A name that would run a program if a completion let it out of its quotes. */
const HOSTILE = `/tmp/x'"$(touch ran)\\`;

/** A person at a real terminal: types, presses Tab, and what then stands on the line is what Enter runs. */
const TYPIST = `
import os, pty, re, select, sys, time
shell, setup, *typed = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "dumb"
    args = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}[shell]
    os.execvp(shell, args)
def read(until, limit=15):
    got, end = b"", time.time() + limit
    while not re.search(until, got) and time.time() < end:
        if select.select([fd], [], [], 0.1)[0]: got += os.read(fd, 65536)
    return got
os.write(fd, (setup + "\\n").encode())
read(rb"ready-\\d+-now")
for line in typed:
    # The shell completes before it reads on.
    os.write(fd, (line + "\\t\\n").encode())
    got = read(rb"<<.*?>>", 10)
    print((re.search(rb"<<(.*?)>>", got) or [b"", b"nothing"])[1].decode())
os.write(fd, b"exit\\n")
`;

/** "fsmon" that prints its words, and completes by running the real one. */
function standIn(home: Home): string {
  const bin = join(home.dir, "bin");
  mkdirSync(bin, { recursive: true });
  const real = `exec "${process.execPath}" "${MAIN}" "$@"`;
  writeFileSync(
    join(bin, "fsmon"),
    `#!/bin/sh\nif [ "$1 $2" = "managed --paths" ] || [ -n "$REAL" ]; then ${real}; fi\nprintf '<<%s' "$1"; shift; printf '|%s' "$@"; echo '>>'\n`,
  );
  chmodSync(join(bin, "fsmon"), 0o755);
  return bin;
}

function complete(home: Home, shell: "bash" | "zsh", ...lines: string[]): string[] {
  const bin = standIn(home);
  const load =
    shell === "bash"
      ? 'eval "$(REAL=1 fsmon completions bash)"'
      : 'autoload -U compinit; compinit -u; eval "$(REAL=1 fsmon completions zsh)"';
  const setup = `PATH=${bin}:$PATH; cd ${home.dir}; ${load}; PS1=; echo ready-$((40+2))-now`;
  const done = spawnSync("python3", ["-c", TYPIST, shell, setup, ...lines], {
    encoding: "utf8",
    env: { HOME: home.dir, PATH: process.env.PATH ?? "", LANG: "C.UTF-8" },
  });
  return done.stdout.trimEnd().split("\n");
}

async function homeWithPaths(): Promise<Home> {
  const home = temporaryHome();
  mkdirSync(join(home.dir, "some folder"));
  mkdirSync(dirname(home.configFile), { recursive: true });
  // No other daemon of this machine is to be asked.
  writeFileSync(home.configFile, `[socket]\npath = "${home.socketPath}"\n`);
  for (const path of ["/srv/data one", "/var/a:b", "/opt/it's", HOSTILE]) await home.run("add", path);
  return home;
}

describe("bash", () => {
  test("completes commands, options, values, files and managed paths, whatever characters they hold", async () => {
    using home = await homeWithPaths();
    const typed: [line: string, words: string][] = [
      ["fsmon rem", "remove|"],
      ["fsmon add --recu", "add|--recursive"],
      ["fsmon add -t CREATE,del", "add|-t|CREATE,DELETE"],
      ["fsmon add --types=close_w", "add|--types=CLOSE_WRITE"],
      ["fsmon remove /srv/", "remove|/srv/data one"],
      ["fsmon remove '/srv/", "remove|/srv/data one"],
      ["fsmon remove /opt/", "remove|/opt/it's"],
      ["fsmon remove /var/a:", "remove|/var/a:b"],
      ["fsmon remove /tmp/x", `remove|${HOSTILE}`],
      ["fsmon remove '/tmp/x", `remove|${HOSTILE}`],
      ['fsmon remove "/tmp/x', `remove|${HOSTILE}`],
      ["fsmon query --since 1h -p /var/", "query|--since|1h|-p|/var/a:b"],
      ["fsmon query --path=/srv/", "query|--path=/srv/data one"],
      ["fsmon add some", "add|some folder/"],
      ["fsmon add -r -e '*.swp' so", "add|-r|-e|*.swp|some folder/"],
      ["fsmon who /srv/", "who|/srv/data one"],
      ["fsmon who so", "who|some folder/"],
      ["fsmon completions z", "completions|zsh"],
      ["fsmon query --format t", "query|--format|text"],
      ["fsmon daemon --identify per", "daemon|--identify|perf"],
      ["fsmon daemon --identify perf,con", "daemon|--identify|perf,connector"],
      ["fsmon help gen", "help|generate"],
    ];
    const got = complete(home, "bash", ...typed.map(([line]) => line));
    expect(got).toEqual(typed.map(([, words]) => words));
    expect(existsSync(join(home.dir, "ran"))).toBe(false);
  });
});

describe.skipIf(Bun.which("zsh") === null)("zsh (needs zsh)", () => {
  test("completes commands, options, values, files and managed paths", async () => {
    using home = await homeWithPaths();
    const typed: [line: string, words: string][] = [
      ["fsmon rem", "remove|"],
      ["fsmon add --recu", "add|--recursive"],
      ["fsmon remove /srv/", "remove|/srv/data one"],
      ["fsmon add -r so", "add|-r|some folder"],
      ["fsmon who /srv/", "who|/srv/data one"],
      ["fsmon who so", "who|some folder"],
      ["fsmon query --format t", "query|--format|text"],
      ["fsmon daemon --identify perf,con", "daemon|--identify|perf,connector"],
      ["fsmon completions fi", "completions|fish"],
    ];
    const got = complete(home, "zsh", ...typed.map(([line]) => line));
    expect(got).toEqual(typed.map(([, words]) => words));
  });
});

describe.skipIf(Bun.which("fish") === null)("fish (needs fish)", () => {
  test("completes commands, options, values and managed paths", async () => {
    using home = await homeWithPaths();
    const bin = standIn(home);
    const offers = (line: string) => {
      const script = `REAL=1 fsmon completions fish | source; complete -C ${JSON.stringify(line)}`;
      const done = spawnSync("fish", ["--no-config", "-c", script], {
        encoding: "utf8",
        env: { HOME: home.dir, PATH: `${bin}:${process.env.PATH}` },
      });
      return done.stdout.split("\n").map((row) => row.split("\t")[0]);
    };
    for (const { name } of COMMANDS) expect(offers("fsmon ")).toContain(name);
    expect(offers("fsmon add --rec")).toContain("--recursive");
    expect(offers("fsmon remove /srv/")).toContain("/srv/data one");
    expect(offers("fsmon add --types CREATE,DEL")).toContain("CREATE,DELETE");
    expect(offers("fsmon query --format ")).toEqual(expect.arrayContaining(["jsonl", "text"]));
    expect(offers("fsmon daemon --identify perf,con")).toContain("perf,connector");
    expect(offers("fsmon completions ")).toContain("zsh");
  });
});

test("another shell is refused with exit code 2 and a hint", async () => {
  using home = temporaryHome();
  expect(await home.run("completions", "bahs")).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('did you mean "bash"?'),
  });
});
