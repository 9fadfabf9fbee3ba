import { describe, expect, test } from "bun:test";
import { COMMANDS } from "../../src/cli/table.ts";
import { MAIN, temporaryHome } from "./fsmon.ts";

describe("fsmon", () => {
  test("alone, with help and with --help prints help on stdout and exits with 0", async () => {
    using home = temporaryHome();
    for (const args of [[], ["help"], ["--help"], ["query", "--help"]]) {
      const ran = await home.run(...args);
      expect(ran.stdout).toContain("Usage: fsmon");
      expect(ran).toMatchObject({ stderr: "", exitCode: 0 });
    }
  });

  for (const { name } of COMMANDS) {
    test(`help ${name} and ${name} --help are the same page`, async () => {
      using home = temporaryHome();
      const pages = await Promise.all([home.run("help", name), home.run(name, "--help")]);
      expect(pages[0]).toMatchObject({
        exitCode: 0,
        stderr: "",
        stdout: expect.stringContaining("Examples:"),
      });
      expect(pages[0]).toEqual(pages[1] ?? null);
    });
  }

  test("--version prints fsmon's own version and nothing of the runtime", async () => {
    using home = temporaryHome();
    const { stdout } = await home.run("--version");
    expect(stdout).toMatch(/^fsmon \S+ \([^)]+\)\n$/);
    expect(stdout).not.toContain("bun");
  });

  test("suggests the nearest command or option and exits with 2, with nothing on stdout", async () => {
    using home = temporaryHome();
    const command = await home.run("mangaed");
    expect(command).toEqual({
      stdout: "",
      stderr: 'fsmon: Unknown command "mangaed"\n  hint: did you mean "fsmon managed"?\n',
      exitCode: 2,
    });
    const option = await home.run("query", "--sice", "1h");
    expect(option).toMatchObject({
      stdout: "",
      exitCode: 2,
      stderr: expect.stringContaining("did you mean --since?"),
    });
  });

  test("takes a reader that has gone for success", async () => {
    using home = temporaryHome();
    const script = `{ "$0" "$1" help add; echo "ended with $?" >&2; } | true`;
    const child = Bun.spawn(["sh", "-c", script, process.execPath, MAIN], {
      env: { HOME: home.dir, PATH: process.env.PATH ?? "" },
      stderr: "pipe",
    });
    expect(await new Response(child.stderr).text()).toBe("ended with 0\n");
  });

  test("says so when stdout can't be written", async () => {
    using home = temporaryHome();
    const child = Bun.spawn(["sh", "-c", `"$0" "$1" help >/dev/full`, process.execPath, MAIN], {
      env: { HOME: home.dir, PATH: process.env.PATH ?? "" },
      stderr: "pipe",
    });
    expect(await new Response(child.stderr).text()).toBe(
      "fsmon: Cannot write to stdout: no space left on device (ENOSPC)\n  hint: look at where the output is redirected to\n",
    );
    expect(await child.exited).toBe(1);
  });

  test("shows no escape sequence from what was typed", async () => {
    using home = temporaryHome();
    const { stderr } = await home.run("\x1b[2J\u202e");
    expect(stderr).not.toMatch(/[\x1b\u202e]/);
  });

  test("daemon without root says so in one message with the command to type", async () => {
    using home = temporaryHome();
    const ran = process.geteuid?.() === 0 ? await asNobody(home.dir, "daemon") : await home.run("daemon");
    expect(ran.stderr).toContain("sudo fsmon daemon");
    expect(ran.stderr.trim().split("\n")).toHaveLength(2);
    expect(ran.exitCode).toBe(1);
  });
});

async function asNobody(home: string, ...args: string[]) {
  Bun.spawnSync(["chmod", "755", home]);
  // A compiled binary would be readable to everybody; the source tree may not be, so the command runs in a user namespace.
  const child = Bun.spawn(["unshare", "--user", process.execPath, MAIN, ...args], {
    env: { HOME: home, PATH: process.env.PATH ?? "" },
    stdout: "pipe",
    stderr: "pipe",
  });
  return { stderr: await new Response(child.stderr).text(), exitCode: await child.exited };
}
