// Small C programs that do file operations faster than any script: compiled once a test file, into a folder of their own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./filesystem.ts";

export class Workload {
  private readonly folder = mkdtempSync(join(tmpdir(), "fsmon-work-"));
  /** The compiled program. */
  readonly program: string;

  /** @param name of a C file beside this one; linked statically, so that it starts in a fraction of a millisecond */
  constructor(name: string) {
    this.program = join(this.folder, name);
    const source = join(import.meta.dir, `${name}.c`);
    try {
      run([
        process.env.CC || "cc",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-static",
        "-pthread",
        "-o",
        this.program,
        source,
      ]);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** Runs it to its end; what it printed. @throws when it fails */
  run(...args: (string | number)[]): string {
    return run([this.program, ...args.map(String)]);
  }

  /** Runs it beside the test; resolves with what it printed. */
  async start(...args: (string | number)[]): Promise<string> {
    const child = Bun.spawn([this.program, ...args.map(String)], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    if (code !== 0) throw new Error(`${this.program} ${args.join(" ")} failed (${code}): ${stderr}`);
    return stdout;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Runs a program that prints a dot where it rests, and answers it after `rest`: then it goes on (test/support/guise.c).
 *
 * @throws when it fails
 */
export async function runResting(rest: () => Promise<void>, ...argv: (string | number)[]): Promise<void> {
  const child = Bun.spawn(argv.map(String), { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  for await (const dots of child.stdout) {
    for (const dot of dots) {
      await rest();
      child.stdin.write(Uint8Array.of(dot));
      child.stdin.flush();
    }
  }
  if ((await child.exited) !== 0) throw new Error(`${argv.join(" ")} failed (${child.exitCode})`);
}
