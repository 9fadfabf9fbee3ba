// A file that is closed between two reads where there are more files than descriptors, and opened again by its name. A name goes
// in, a descriptor of the very same file comes out; another file that has its name by then is never taken for it.
import { closeSync, existsSync, fstatSync, openSync, type Stats } from "node:fs";
import { errorCode } from "../failure.ts";
import { asOwner, type Identity } from "../kernel/identity.ts";
import { openFilesMax } from "../kernel/open-files.ts";
import type { Descriptor } from "./input.ts";

export interface NamedFileOptions {
  /** With whose rights it is opened. */
  who: Identity;
  flags: number;
  /** Names that it may have got since, asked for when it isn't found under its own. */
  otherNames?: () => Iterable<string>;
  /** That it is gone is no loss: its lines were to go. */
  mayGo: boolean;
}

/** So many descriptors are held under any limit; of more, as many as the process may have but for SPARE_DESCRIPTORS. */
const HELD_ALWAYS = 200;
/** The runtime has two dozen, and some are open for the moment of a look. */
const SPARE_DESCRIPTORS = 128;

export class NamedFile implements Descriptor {
  /** As it was when it was opened first. */
  readonly stat: Stats;
  private readonly options: NamedFileOptions;
  path: string;
  private descriptor: number;
  /** Its descriptor stays the same until it is closed. */
  held = true;
  replaced = false;

  /** @throws system errors as they are */
  constructor(path: string, options: NamedFileOptions) {
    this.path = path;
    this.options = options;
    this.descriptor = this.open(path);
    this.stat = fstatSync(this.descriptor);
  }

  /** Two names of one file hold its lines once. */
  get identity(): string {
    return `${this.stat.dev}:${this.stat.ino}`;
  }

  fd(): number | null {
    if (this.descriptor >= 0) return this.descriptor;
    if (!this.findAs(this.path)) {
      for (const path of this.options.otherNames?.() ?? []) if (this.findAs(path)) break;
      // Cleaned away since, and those lines were to go; but not where somebody has packed it in between.
      if (this.descriptor < 0 && (!this.options.mayGo || existsSync(this.path) || this.isPacked()))
        this.replaced = true;
    }
    return this.descriptor < 0 ? null : this.descriptor;
  }

  /** Opens it again for every use from here on. */
  letGo(): void {
    this.held = false;
    this.release();
  }

  /** The descriptor is the caller's from here on, to use and to close. */
  keep(): number | null {
    const fd = this.fd();
    this.descriptor = -1;
    return fd;
  }

  release(): void {
    if (!this.held) this.close();
  }

  close(): void {
    if (this.descriptor >= 0) closeSync(this.descriptor);
    this.descriptor = -1;
  }

  private findAs(path: string): boolean {
    let fd: number;
    try {
      fd = this.open(path);
    } catch (error) {
      if (errorCode(error) === "EMFILE" || errorCode(error) === "ENFILE") throw error;
      return false;
    }
    const { dev, ino } = fstatSync(fd);
    if (dev !== this.stat.dev || ino !== this.stat.ino) {
      closeSync(fd);
      return false;
    }
    this.path = path;
    this.descriptor = fd;
    return true;
  }

  private isPacked(): boolean {
    return [".zst", ".gz"].some((suffix) => existsSync(`${this.path}${suffix}`));
  }

  private open(path: string): number {
    return asOwner(this.options.who, () => openSync(path, this.options.flags));
  }
}

/** How many of so many files can stay open all the time. */
export function heldFilesMax(files: number): number {
  if (files <= HELD_ALWAYS) return files;
  return Math.max(HELD_ALWAYS, openFilesMax() - SPARE_DESCRIPTORS);
}
