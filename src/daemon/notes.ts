// What the daemon has to say to a person: said at once, and kept for whoever asks for its status.
import type { StoredPaths } from "../managed/store.ts";

/** The newest are what a person wants to see; an endless repetition must not fill the memory. */
const KEPT_MAX = 100;

export class Notes {
  private notes: { readonly message: string; readonly subject: string | null }[] = [];

  constructor(private readonly say: (message: string) => void) {}

  get kept(): string[] {
    return this.notes.map(({ message }) => message);
  }

  /** @param subject a path that it is about: the note goes with it */
  add(message: string, subject: string | null = null): void {
    this.say(message);
    this.notes.push({ message, subject });
    if (this.notes.length > KEPT_MAX) this.notes.shift();
  }

  /** Which lines of the store can't be used, in place of what was said of it before. */
  broken(file: string, { broken }: StoredPaths): void {
    this.drop(file);
    for (const { line, reason } of broken) this.add(`line ${line} of ${file} is not used: ${reason}`, file);
  }

  /** What was said about this path doesn't hold any more. */
  drop(path: string): void {
    this.notes = this.notes.filter(({ subject }) => subject !== path);
  }
}
