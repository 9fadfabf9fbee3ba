// What the doctor says: one finding a line, with what to do about it. Types only.

/**
 * `fine`: as it should be. `limit`: recorded, but not all, or a limit is near. `broken`: not recorded, or would not be. `unseen`: it
 * could not be looked at.
 */
export type Level = "fine" | "limit" | "broken" | "unseen";

export interface Finding {
  /** What was looked at: "kernel", "rights", "filesystem" … Findings of one subject stand together. */
  readonly subject: string;
  readonly level: Level;
  /** One sentence, with the value that was found. */
  readonly text: string;
  /** What to do; null where there is nothing to do. */
  readonly remedy: string | null;
}

/** Findings of one subject. */
export class Findings {
  readonly list: Finding[] = [];

  constructor(private readonly subject: string) {}

  fine(text: string): void {
    this.add("fine", text, null);
  }

  limit(text: string, remedy: string | null = null): void {
    this.add("limit", text, remedy);
  }

  broken(text: string, remedy: string | null = null): void {
    this.add("broken", text, remedy);
  }

  unseen(text: string, remedy: string | null = null): void {
    this.add("unseen", text, remedy);
  }

  private add(level: Level, text: string, remedy: string | null): void {
    this.list.push({ subject: this.subject, level, text, remedy });
  }
}
