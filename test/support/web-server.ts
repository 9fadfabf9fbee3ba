// A small web server that the README's examples are played on: a mount namespace of its own, with the users alice and bob, empty
// /home, /srv and /tmp, and ./fsmon in alice's home. Commands run as alice; one that begins with sudo runs as root, as sudo
// would run it. Nothing of the machine itself is changed. Needs root.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARY, command, type Finished } from "./daemon.ts";
import { until } from "./wait.ts";

const UID = { root: 0, "www-data": 33, alice: 1000, bob: 1001 } as const;
export type User = keyof typeof UID;
const HOME: Record<User, string> = {
  root: "/root",
  "www-data": "/srv",
  alice: "/home/alice",
  bob: "/home/bob",
};

/** In the namespace; the folder with the binary and the user database is carried over into /mnt, because /tmp becomes a new one. */
const FURNISH = `
set -e
mount --bind "$0" /mnt
mount --bind /mnt/passwd /etc/passwd
for place in /home /srv /tmp /usr/local/bin; do mount -t tmpfs -o mode=755 web $place; done
chmod 1777 /tmp
for user in alice bob; do mkdir -m 755 /home/$user && chown $user: /home/$user; done
cp /mnt/fsmon /home/alice/
cp /mnt/bin/* /usr/local/bin/
hostname web1
echo furnished
exec cat`;

const SUDO = "sudo ";

/** A shell that lives as long as a terminal's: programs are its children, not what it became by a chain of executions. */
class Shell {
  private readonly child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  private readonly reader;

  constructor(argv: readonly string[]) {
    this.child = Bun.spawn([...argv], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    this.reader = this.child.stdout.getReader();
  }

  async run(line: string): Promise<Finished> {
    this.child.stdin.write(`(\n${line}\n) 2>&1 </dev/null; printf '\\001%s\\n' $?\n`);
    this.child.stdin.flush();
    const decoder = new TextDecoder();
    let said = "";
    for (;;) {
      const end = /\u0001(\d+)\n$/.exec(said);
      if (end !== null) return { stdout: said.slice(0, end.index), stderr: "", code: Number(end[1]) };
      const { value, done } = await this.reader.read();
      if (done) throw new Error(`The shell has ended at: ${line}`);
      said += decoder.decode(value, { stream: true });
    }
  }

  async end(): Promise<void> {
    this.child.stdin.end();
    await this.child.exited;
  }
}

/** A command that goes on until somebody ends it, and what it has said so far. */
export interface Ongoing {
  output: string;
  readonly command: string;
}

export class WebServer {
  private readonly dir = mkdtempSync(join(tmpdir(), "fsmon-web-"));
  private holder: Bun.Subprocess<"pipe", "pipe", "inherit"> | null = null;
  private readonly shells = new Map<User, Shell>();
  private readonly ongoing = new Map<Ongoing, Bun.Subprocess>();

  /** @param programs shell scripts in /usr/local/bin, by their names */
  constructor(private readonly programs: Readonly<Record<string, string>> = {}) {}

  async start(): Promise<this> {
    mkdirSync(join(this.dir, "bin"));
    for (const [name, text] of Object.entries(this.programs)) {
      writeFileSync(join(this.dir, "bin", name), text, { mode: 0o755 });
    }
    const users = Object.entries(UID).map(
      ([name, uid]) => `${name}:x:${uid}:${uid}::${HOME[name as User]}:/bin/sh\n`,
    );
    writeFileSync(join(this.dir, "passwd"), users.join(""));
    await Bun.write(join(this.dir, "fsmon"), Bun.file(BINARY));
    await command(["chmod", "-R", "a+rX", this.dir]);
    await command(["chmod", "755", this.dir, join(this.dir, "fsmon")]);
    // The namespace lives as long as this process holds the other end of its cat.
    this.holder = Bun.spawn(
      ["unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c", FURNISH, this.dir],
      { stdin: "pipe", stdout: "pipe", stderr: "inherit" },
    );
    const { value } = await this.holder.stdout.getReader().read();
    if (!new TextDecoder().decode(value).includes("furnished"))
      throw new Error("The namespace can't be made");
    return this;
  }

  /** The words before a command line that make somebody run it in the namespace. */
  private argv(line: string, user: User): string[] {
    const uid = UID[user];
    const asRoot = user === "root";
    return [
      ...["nsenter", "-t", String(this.holder!.pid), "-m", "-u", "env", "-i"],
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      ...[`HOME=${HOME[user]}`, `USER=${user}`, "LANG=C.UTF-8", "TZ=UTC", "COLUMNS=100"],
      ...(asRoot
        ? [`SUDO_UID=${UID.alice}`]
        : ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"]),
      ...["bash", "-c", `cd ~${asRoot ? "alice" : ""}\n${line}`],
    ];
  }

  /** Types a command line into the user's shell and waits for its end; both streams in one, as a terminal shows them. */
  async run(line: string, user: User = "alice"): Promise<Finished> {
    const isSudo = line.startsWith(SUDO);
    const who = isSudo ? "root" : user;
    const shell = this.shells.get(who) ?? new Shell(this.argv("exec bash", who));
    this.shells.set(who, shell);
    return shell.run(isSudo ? line.slice(SUDO.length) : line);
  }

  /** Starts what goes on until it is ended. */
  begin(line: string): Ongoing {
    const isSudo = line.startsWith(SUDO);
    const text = `exec 2>&1\n${isSudo ? line.slice(SUDO.length) : line}`;
    const child = Bun.spawn(this.argv(text, isSudo ? "root" : "alice"), { stdin: "ignore", stdout: "pipe" });
    const ongoing: Ongoing = { command: line, output: "" };
    this.ongoing.set(ongoing, child);
    const collect = async () => {
      const decoder = new TextDecoder();
      for await (const chunk of child.stdout) ongoing.output += decoder.decode(chunk, { stream: true });
    };
    void collect();
    return ongoing;
  }

  /** Ends what was begun. */
  async stop(what: Ongoing): Promise<void> {
    const child = this.ongoing.get(what)!;
    // A shell that waits for a pipeline's end has the programs as children.
    await command(["pkill", "-TERM", "-P", String(child.pid)]);
    child.kill("SIGTERM");
    await until("it has ended", () => child.exitCode !== null || child.signalCode !== null);
    this.ongoing.delete(what);
  }

  /** Ends what is still going on, the daemon last, and the namespace. */
  async end(): Promise<void> {
    for (const one of [...this.ongoing.keys()].reverse()) await this.stop(one);
    for (const shell of this.shells.values()) await shell.end();
    this.holder?.kill("SIGKILL");
    await this.holder?.exited;
    rmSync(this.dir, { recursive: true, force: true });
  }
}
