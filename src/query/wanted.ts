// Which lines a query asks for: a time range, and maybe paths below a managed one. Lines go in as bytes, yes or no comes out.
// Parses a line only where its bytes can't decide. Hot.
import { isAtOrBelow } from "../containment.ts";
import { parseTime } from "../log/time.ts";
import { AFTER_TIME } from "./line-table.ts";
import { parseKeys } from "./odd-line.ts";

export interface TimeRange {
  sinceMs: number;
  /** The first moment that is out of it. */
  untilMs: number;
}

const encoder = new TextEncoder();
const STATE_KEY = encoder.encode(',"event_type":"');
const GAP = encoder.encode('GAP"');
const WATCH = encoder.encode('WATCH"');
const BACKSLASH = 92;

/** A GAP touches a range when its span does, or when it was written down in it. */
export function gapTouches(keys: Record<string, unknown>, range: TimeRange): boolean {
  if (keys.event_type !== "GAP") return false;
  const fromMs = parseTime(String(keys.gap_from));
  const toMs = parseTime(String(keys.gap_to));
  return fromMs < range.untilMs && toMs >= range.sinceMs;
}

/** `GAP` or `WATCH` for a line of ours that is one; null for events. Hot. */
export function stateTypeOf(bytes: Uint8Array, start: number): "GAP" | "WATCH" | null {
  const at = start + AFTER_TIME + STATE_KEY.length;
  const initial = bytes[at];
  // No event type begins as these two do, so nearly every line is done with here.
  if (initial !== GAP[0] && initial !== WATCH[0]) return null;
  if (!startsWith(bytes, start + AFTER_TIME, STATE_KEY)) return null;
  if (startsWith(bytes, at, GAP)) return "GAP";
  return startsWith(bytes, at, WATCH) ? "WATCH" : null;
}

function startsWith(bytes: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word[i]) return false;
  return true;
}

/**
 * Lines about what happened at or below some paths; state lines always belong. Bytes are searched for a block at a time, so a
 * line that doesn't name a path costs next to nothing, and only a line that may name it is parsed. Hot.
 */
export class PathFilter {
  private readonly paths: readonly string[];
  /** Each path as a line of ours spells it; and a backslash, which every other spelling needs. */
  private readonly needles: (Uint8Array | number)[];
  /** Where each needle comes next in the block; -1 when that isn't known yet. */
  private readonly next: number[];

  constructor(paths: readonly string[]) {
    this.paths = paths;
    this.needles = [
      ...paths.map((path) => encoder.encode(`"${JSON.stringify(path).slice(1, -1)}`)),
      BACKSLASH,
    ];
    this.next = this.needles.map(() => -1);
  }

  /** The lines that follow are from other bytes. */
  beginBlock(): void {
    this.next.fill(-1);
  }

  /** A line of ours; lines of a block must be asked for in order. */
  wants(bytes: Buffer, start: number, end: number): boolean {
    if (stateTypeOf(bytes, start) !== null) return true;
    let candidate = false;
    for (let i = 0; i < this.needles.length; i++) {
      let next = this.next[i]!;
      if (next < start) {
        const found = bytes.indexOf(this.needles[i]!, start);
        next = found < 0 ? Number.POSITIVE_INFINITY : found;
        this.next[i] = next;
      }
      if (next < end) candidate = true;
    }
    if (!candidate) return false;
    const keys = parseKeys(bytes, start, end);
    return keys !== null && this.wantsKeys(keys);
  }

  wantsKeys(keys: Record<string, unknown>): boolean {
    if (keys.event_type === "GAP" || keys.event_type === "WATCH") return true;
    return [keys.path, keys.from, keys.to].some(
      (path) => typeof path === "string" && this.paths.some((wanted) => isAtOrBelow(path, wanted)),
    );
  }
}
