// What the daemon has to say to a person: said at once, and kept for whoever asks for its status.

/** The newest are what a person wants to see; an endless repetition must not fill the memory. */
const KEPT_MAX = 100;

export class Notes {
  readonly kept: string[] = [];

  constructor(private readonly say: (message: string) => void) {}

  add(message: string): void {
    this.say(message);
    this.kept.push(message);
    if (this.kept.length > KEPT_MAX) this.kept.shift();
  }
}
