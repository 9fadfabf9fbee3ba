// Another process that does single file operations (hands.c) when a test says so, and has done them when the call returns: between two system calls of what is
// tested, if need be.
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./filesystem.ts";

export class Hands {
  private readonly home = mkdtempSync(join(tmpdir(), "fsmon-hands-"));
  private readonly commands: number;
  private readonly answers: number;
  private readonly child: Bun.Subprocess<"ignore", "ignore", "inherit">;

  /**
   * @param program hands.c, compiled
   * @param directory where it works
   */
  constructor(program: string, directory: string) {
    const [commands, answers] = [join(this.home, "commands"), join(this.home, "answers")];
    run(["mkfifo", commands, answers]);
    // Both ways, so that opening waits for nobody.
    this.commands = openSync(commands, constants.O_RDWR);
    this.answers = openSync(answers, constants.O_RDWR);
    this.child = Bun.spawn([program, directory, commands, answers], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "inherit",
    });
  }

  /** @param operations as hands.c takes them: "m from to" */
  do(operations: readonly string[]): void {
    writeSync(this.commands, `${operations.join("\n")}\n.\n`);
    const answer = Buffer.alloc(1);
    readSync(this.answers, answer);
    if (answer.toString() !== ".") throw new Error(`an operation failed: ${operations.join("; ")}`);
  }

  async end(): Promise<void> {
    this.child.kill();
    await this.child.exited;
    closeSync(this.commands);
    closeSync(this.answers);
    rmSync(this.home, { recursive: true, force: true });
  }
}
