// A wall clock of the daemon's own, which can be set without anybody else noticing: a library that stands in /etc/ld.so.preload of a
// private view of the filesystems, because the daemon takes nothing from its environment.
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./filesystem.ts";

/** What a program needs of /etc to start and to know users. */
const ETC = ["passwd", "group", "nsswitch.conf", "ld.so.cache", "localtime"];

export class OwnClock {
  readonly #dir = mkdtempSync(join(tmpdir(), "fsmon-clock-"));
  readonly #file = join(this.#dir, "ahead");
  /** Runs a command with this clock. */
  readonly wrapper: string[];

  constructor() {
    const library = join(this.#dir, "clock.so");
    const etc = join(this.#dir, "etc");
    this.setAhead(0);
    const source = join(import.meta.dir, "clock.c");
    const define = `-DCLOCK_FILE="${this.#file}"`;
    run([
      process.env.CC || "cc",
      "-O1",
      "-Wall",
      "-Wextra",
      "-Werror",
      "-shared",
      "-fPIC",
      define,
      "-o",
      library,
      source,
    ]);
    mkdirSync(etc);
    for (const name of ETC)
      if (existsSync(join("/etc", name))) cpSync(join("/etc", name), join(etc, name), { dereference: true });
    writeFileSync(join(etc, "ld.so.preload"), `${library}\n`);
    this.wrapper = ["unshare", "-m", "sh", "-c", `mount --bind ${etc} /etc && exec "$@"`, "sh"];
  }

  /** @param seconds ahead of the machine's clock; negative for behind it */
  setAhead(seconds: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(seconds));
    // In place, because the daemon has it mapped.
    const fd = openSync(this.#file, existsSync(this.#file) ? "r+" : "w");
    writeSync(fd, bytes, 0, bytes.length, 0);
    closeSync(fd);
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
