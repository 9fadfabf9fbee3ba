// A daemon that works for an unprivileged person, as behind sudo: the person stands in a user database that only the daemon
// sees (a private mount namespace), so that the machine's own stays as it is. Needs root.
import { chmodSync, lchownSync, lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command, type Finished, TestDaemon } from "./daemon.ts";

/** Nobody's on a usual machine; file owners need no entry anywhere. */
export const PERSON_UID = 54_321;

export class PersonsDaemon extends TestDaemon {
  private readonly place = mkdtempSync(join(tmpdir(), "fsmon-person-"));
  /** For the daemon, besides SUDO_UID. */
  variables: Record<string, string> = {};

  constructor(entry = true) {
    super();
    giveTo(this.home, PERSON_UID);
    const line = `person:x:${PERSON_UID}:${PERSON_UID}::${this.home}:/bin/sh\n`;
    writeFileSync(join(this.place, "passwd"), `root:x:0:0:root:/root:/bin/sh\n${entry ? line : ""}`);
    chmodSync(this.place, 0o755);
  }

  override get environment(): Record<string, string> {
    return {
      PATH: process.env.PATH ?? "/usr/bin:/bin",
      // As sudo may leave it: it must not count.
      HOME: "/root",
      SUDO_UID: String(PERSON_UID),
      ...this.variables,
    };
  }

  /** What stands before the command line of the daemon. */
  get wrapper(): string[] {
    const script = 'mount --bind "$0" /etc/passwd && exec "$@"';
    return ["unshare", "-m", "sh", "-c", script, join(this.place, "passwd")];
  }

  override start(args: readonly string[] = []): Promise<this> {
    return super.start(args, this.wrapper);
  }

  /** Runs the daemon to its end, which must come by itself, or kills it after two minutes: then the code is 137. */
  tryToStart(): Promise<Finished> {
    const argv = ["timeout", "-s", "KILL", "120", ...this.wrapper, this.binary, "daemon"];
    return command(argv, { env: this.environment, cwd: "/" });
  }

  /** The client, run by the person through sudo. */
  sudo(...args: string[]): Promise<Finished> {
    return command([...this.wrapper, this.binary, ...args], { env: this.environment, cwd: "/" });
  }

  /** A program as the person runs it. */
  run(argv: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
    return command([...asPerson(), ...argv], {
      env: { PATH: process.env.PATH ?? "/usr/bin:/bin", HOME: this.home, ...env },
      cwd: "/",
    });
  }

  /** The client, run by the person. */
  override fsmon(...args: string[]): Promise<Finished> {
    return this.run([this.binary, ...args]);
  }

  override async destroy(): Promise<void> {
    // The wrapper became the daemon, so nobody has to be looked for by what is (or was put) in the lock's place.
    rmSync(join(this.logDir, "daemon.lock"), { recursive: true, force: true });
    await super.destroy();
    rmSync(this.place, { recursive: true, force: true });
  }
}

export function asPerson(): string[] {
  return ["setpriv", `--reuid=${PERSON_UID}`, `--regid=${PERSON_UID}`, "--clear-groups"];
}

/** Gives a tree to somebody; links themselves, not what they lead to. */
export function giveTo(path: string, uid: number): void {
  lchownSync(path, uid, uid);
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) giveTo(join(path, name), uid);
}
