import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { logHash } from "../../src/log/names.ts";
import { type Home, MAIN, nameOwnSocket, temporaryHome } from "./fsmon.ts";

function line(timeMs: number, name: string, monitored = "/srv"): string {
  const time = new Date(timeMs).toISOString().replace("Z", "+00:00");
  const rest = {
    event_type: "CREATE",
    path: `${monitored}/${name}`,
    pid: 1,
    cmd: "sh",
    user: "root",
    file_size: 0,
  };
  return `${JSON.stringify({ time, ...rest, monitored_path: monitored })}\n`;
}

const HOUR_MS = 3_600_000;

/** A log of /srv with one line for each age in hours. */
function log(home: Home, ...agesHours: number[]): void {
  mkdirSync(home.logDir, { recursive: true });
  const lines = agesHours.map((age) => line(Date.now() - age * HOUR_MS, `${age}h`));
  writeFileSync(join(home.logDir, `${logHash("/srv")}_log.jsonl`), lines.join(""));
}

const names = (stdout: string) =>
  [...stdout.matchAll(/"path":"\/srv\/([^"]*)"/g)].map((match) => match[1] ?? "");

describe("query", () => {
  test("prints the range, the earlier end included and the later one not", async () => {
    using home = temporaryHome();
    log(home, 5, 3, 1);
    expect(names((await home.run("query")).stdout)).toEqual(["5h", "3h", "1h"]);
    expect(names((await home.run("query", "--since", "4h")).stdout)).toEqual(["3h", "1h"]);
    expect(names((await home.run("query", "--since", "4h", "--until", "2h")).stdout)).toEqual(["3h"]);
  });

  test("finds nothing with exit code 0, and a path without a log with 1", async () => {
    using home = temporaryHome();
    const unrecorded = await home.run("query");
    expect(unrecorded).toMatchObject({ stdout: "", exitCode: 0 });
    expect(unrecorded.stderr).toMatch(/^fsmon: There are no logs in ".*": nothing was recorded yet\n$/);
    log(home, 5);
    expect(await home.run("query", "--since", "1h")).toEqual({ stdout: "", stderr: "", exitCode: 0 });
    const none = await home.run("query", "-p", "/nope");
    expect(none).toMatchObject({ stdout: "", exitCode: 1 });
    expect(none.stderr).toContain('"/nope"');
  });

  test("reads --file and stdin without looking at the config", async () => {
    using home = temporaryHome();
    mkdirSync(join(home.dir, ".config/fsmon"), { recursive: true });
    writeFileSync(home.configFile, "broken");
    const now = Date.now();
    const lines = line(now, "b") + line(now - 1000, "a");
    writeFileSync(join(home.dir, "copy.jsonl"), lines);
    expect(names((await home.run("query", "--file", "copy.jsonl")).stdout)).toEqual(["a", "b"]);
    expect(names((await home.runWith({ stdin: lines }, "query", "-f", "-")).stdout)).toEqual(["a", "b"]);
  });

  test("names what can't be read or written, why, and what to do", () => {
    using home = temporaryHome();
    writeFileSync(join(home.dir, "copy.jsonl"), line(1, "a"));
    const ask = (redirected: string) => {
      const command = ["sh", "-c", `"$0" "$1" query --file ${redirected}`, process.execPath, MAIN];
      const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd: home.dir, env: { HOME: home.dir } });
      expect([exitCode, stdout.toString()]).toEqual([1, ""]);
      return stderr.toString();
    };
    expect(ask(".")).toMatch(/^fsmon: Cannot read ".": it is a directory\n {2}hint: /);
    expect(ask("- <.")).toMatch(/^fsmon: Cannot read standard input: it is a directory\n {2}hint: /);
    expect(ask("copy.jsonl >&-")).toMatch(/^fsmon: Cannot write to stdout: it is closed\n {2}hint: /);
    for (const form of ["", "--stats", "--format text"])
      expect(ask(`copy.jsonl ${form} >/dev/full`)).toMatch(
        /^fsmon: Cannot write to stdout: no space left on device \(ENOSPC\)\n {2}hint: /,
      );
  });

  test("counts lines that are no JSON on stderr and exits with 1", async () => {
    using home = temporaryHome();
    const stdin = `${line(1, "a")}broken\n${line(2, "b")}`;
    const ran = await home.runWith({ stdin }, "query", "--file", "-");
    expect(names(ran.stdout)).toEqual(["a", "b"]);
    expect(ran.stderr).toContain("Skipped 1 line");
    expect(ran.exitCode).toBe(1);
  });

  test("ends quietly with 0 when its reader goes away in the middle", async () => {
    using home = temporaryHome();
    writeFileSync(join(home.dir, "big.jsonl"), line(1, "x").repeat(50_000));
    const script = `{ "$0" "$1" query --file big.jsonl; echo "ended with $?" >&2; } | head -n 1`;
    const child = Bun.spawn(["sh", "-c", script, process.execPath, MAIN], {
      cwd: home.dir,
      env: { HOME: home.dir, PATH: process.env.PATH ?? "" },
      stdout: "pipe",
      stderr: "pipe",
    });
    expect(await new Response(child.stdout).text()).toBe(line(1, "x"));
    expect(await new Response(child.stderr).text()).toBe("ended with 0\n");
  });

  const ways: [what: string, script: string][] = [
    ["a pipe", '"$0" "$1" query | cat > out'],
    ["a pipe with a slow reader", '"$0" "$1" query | { sleep 0.3; cat; } > out'],
    [
      "a pipe that another program has made non-blocking",
      '{ "$0" -e "process.stdout.isTTY"; "$0" "$1" query; } | { sleep 0.3; cat; } > out',
    ],
    ["a file", '"$0" "$1" query > out'],
    ["a file that has something in it already", 'cp empty out; "$0" "$1" query >> out'],
    ["a file on another filesystem", '"$0" "$1" query > "$2"; mv "$2" out'],
    ["a socket", '"$0" -e "$3" "$0" "$1" > out'],
  ];
  for (const [what, script] of ways) {
    test(`prints the same into ${what}`, async () => {
      using home = temporaryHome();
      mkdirSync(home.logDir, { recursive: true });
      let whole = "";
      for (let number = 1; number <= 4; number++) {
        let text = "";
        for (let i = 0; i < 5000; i++) text += line(number * 10_000_000 + i, `${number}-${i}`);
        // A line that isn't printed, between spans of hundreds of kilobytes.
        const name =
          number === 4 ? `${logHash("/srv")}_log.jsonl` : `${logHash("/srv")}.00000${number}_log.jsonl`;
        writeFileSync(join(home.logDir, name), `\n${text}   \n${line(number * 10_000_000 + 9000, "last")}`);
        whole += text + line(number * 10_000_000 + 9000, "last");
      }
      writeFileSync(join(home.dir, "empty"), "");
      const elsewhere = join("/dev/shm", `fsmon-test-${process.pid}`);
      // Bun gives its children a socket where their stdout is to be read.
      const reading = `await Bun.write(Bun.stdout, await new Response(Bun.spawn([process.argv[1], process.argv[2], "query"]).stdout).text())`;
      nameOwnSocket(home);
      const child = Bun.spawnSync(["sh", "-c", script, process.execPath, MAIN, elsewhere, reading], {
        cwd: home.dir,
        env: { HOME: home.dir, PATH: process.env.PATH ?? "" },
      });
      expect(child.stderr.toString()).toBe("");
      expect(readFileSync(join(home.dir, "out"), "utf8") === whole).toBe(true);
    });
  }

  const wrong: [args: string[], message: string][] = [
    [["--since", "-1h"], '"-1h"'],
    [["--since", "yesterday"], '"yesterday"'],
    [["--until=007"], '"007"'],
    [["--since", "1h", "--until", "2h"], "the end lies before the beginning"],
  ];
  for (const [args, message] of wrong) {
    test(`refuses ${args.join(" ")} with exit code 2 and a hint`, async () => {
      using home = temporaryHome();
      const ran = await home.run("query", ...args);
      expect(ran).toMatchObject({ stdout: "", exitCode: 2 });
      expect(ran.stderr).toContain(message);
      expect(ran.stderr).toContain("  hint: ");
    });
  }

  test("says so when the named log directory does not exist", async () => {
    using home = temporaryHome();
    const ran = await home.run("query", "--log-dir", "nowhere");
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain(`"${home.dir}/nowhere"`);
  });
});
