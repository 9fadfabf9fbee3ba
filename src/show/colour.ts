// Colours for a terminal, and plain text for everything else. The colour library is loaded only where something will be
// coloured: importing it touches process.stdout, which makes a pipe there non-blocking.
import type { PathState } from "../event.ts";
import { isTerminal } from "./is-terminal.ts";

export interface Colours {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  blue(text: string): string;
  magenta(text: string): string;
  cyan(text: string): string;
}

const plain = (text: string) => text;
export const NO_COLOURS: Colours = {
  bold: plain,
  dim: plain,
  red: plain,
  green: plain,
  yellow: plain,
  blue: plain,
  magenta: plain,
  cyan: plain,
};

/** What a managed path's state looks like. */
export function paintState(state: PathState, colours: Colours): string {
  const { green, yellow, red } = colours;
  return { watched: green, pending: yellow, starting: yellow, impossible: red }[state](state);
}

/**
 * @param fd where the text will go: 1 or 2
 * @param refused true for --no-color
 */
export async function coloursFor(fd: 1 | 2, refused: boolean): Promise<Colours> {
  const { NO_COLOR, TERM } = process.env;
  if (refused || (NO_COLOR ?? "") !== "" || TERM === "dumb" || !isTerminal(fd)) return NO_COLOURS;
  // Talk on a terminal while data goes into a pipe: not worth changing the pipe for.
  if (fd !== 1 && !isTerminal(1)) return NO_COLOURS;
  const { default: picocolors } = await import("picocolors");
  return picocolors.createColors(true);
}
