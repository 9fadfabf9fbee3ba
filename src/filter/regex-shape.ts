// The shape of a regular expression: its groups, alternatives and repetitions, and for each character of it one that it matches.
// An expression that compiles enters, pieces leave. Read for the texts of probe-texts.ts alone: what isn't understood is left out,
// and nothing is matched by it.

/** One character of the expression. `own`: characters that it matches, `named`: those that stand in it, matched or not. */
export interface Atom {
  readonly own: readonly string[];
  readonly named: readonly string[];
  /** Matches just one character. */
  readonly alone: RegExp;
}

/** A character, or a group with its alternatives, and how often it may come. */
export interface Piece {
  /** null for a group. */
  readonly atom: Atom | null;
  readonly alternatives: readonly (readonly Piece[])[];
  /** Looks ahead or behind: takes no character of the text. */
  readonly looks: boolean;
  least: number;
  repeats: boolean;
}

/** Tried in this order for what stands for many characters: `[^x]`, `\W`, `\p{Lu}`. */
export const CANDIDATES = [..."a/0 A-._zZé\n\u0001中"];

// Names begin with dates and ids: `\d{4}`, `[0-9a-f]{40}`.
const MAX_COUNT = 40;

const MEMBER = String.raw`\\(?:u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[a-zA-Z]|[pP]\{[^}]*\}|k<[^>]*>|.)`;
const TOKEN = new RegExp(
  [
    String.raw`(?<looks>\(\?<?[=!])`,
    String.raw`(?<open>\((?:\?(?:[a-z-]*:|<[^>]*>))?)`,
    String.raw`(?<close>\))`,
    String.raw`(?<or>\|)`,
    String.raw`(?<count>[*+?]|\{(?<least>\d+)(?<range>,(?<most>\d*))?\})\??`,
    String.raw`(?<edge>[\^$]|\\[bB])`,
    String.raw`(?<atom>${MEMBER}|\[(?:\\.|[^\]\\])*\]|.)`,
  ].join("|"),
  "gsu",
);

/** The expression as a group that comes once, and its distinct atoms. */
export function shapeOf(regex: RegExp): { whole: Piece; atoms: readonly Atom[] } {
  const known = new Map<string, Atom | null>();
  const whole = groupPiece(false);
  const open: Piece[] = [whole.piece];
  const lists = [whole.alternatives];
  for (const { groups = {} } of regex.source.matchAll(TOKEN)) {
    const alternatives = lists.at(-1)!;
    const sequence = alternatives.at(-1)!;
    if (groups.open !== undefined || groups.looks !== undefined) {
      const made = groupPiece(groups.looks !== undefined);
      sequence.push(made.piece);
      open.push(made.piece);
      lists.push(made.alternatives);
    } else if (groups.close !== undefined) {
      open.pop();
      lists.pop();
    } else if (groups.or !== undefined) alternatives.push([]);
    else if (groups.count !== undefined) count(sequence.at(-1), groups);
    else if (groups.atom !== undefined) {
      const source = groups.atom;
      const atom = known.get(source) ?? atomOf(source, regex.flags);
      known.set(source, atom);
      if (atom !== null) sequence.push({ atom, alternatives: [], looks: false, least: 1, repeats: false });
    }
  }
  return { whole: whole.piece, atoms: [...known.values()].filter((atom) => atom !== null) };
}

function groupPiece(looks: boolean): { piece: Piece; alternatives: Piece[][] } {
  const alternatives: Piece[][] = [[]];
  return { piece: { atom: null, alternatives, looks, least: 1, repeats: false }, alternatives };
}

function count(piece: Piece | undefined, groups: Record<string, string | undefined>): void {
  if (piece === undefined) return;
  const { count: sign = "", least, range, most } = groups;
  piece.least = least === undefined ? Number(sign === "+") : Math.min(Number(least), MAX_COUNT);
  piece.repeats = least === undefined ? sign !== "?" : range === undefined ? Number(least) > 1 : most !== "1";
}

function atomOf(source: string, flags: string): Atom | null {
  const alone = compiled(`^(?:${source})$`, flags);
  if (alone === null) return null;
  // A class's own characters come before the candidates: where two classes overlap, one of them begins.
  const named = source.startsWith("[") ? namedIn(source) : [decoded(source)];
  const own = named.filter((character) => alone.test(character));
  if (own.length === 0) own.push(...CANDIDATES.filter((character) => alone.test(character)).slice(0, 1));
  return own.length === 0 ? null : { own, named, alone };
}

/** null for what can't stand alone, such as `\1`. */
function compiled(source: string, flags: string): RegExp | null {
  try {
    return new RegExp(source, flags);
  } catch {
    return null;
  }
}

/** The characters that stand in a class, the ends of its ranges included. */
function namedIn(classSource: string): string[] {
  const members = new RegExp(`${MEMBER}|[^\\\\]`, "gsu");
  return [...classSource.slice(1, -1).matchAll(members)].map(([member]) => decoded(member));
}

const CONTROLS: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", f: "\f", v: "\v", "0": "\0" };

/** The character that an escape means; of one that means many, or of a plain character, its last one. */
function decoded(source: string): string {
  const hexadecimal = /^\\(?:u\{?|x)([0-9a-fA-F]+)\}?$/.exec(source)?.[1];
  if (hexadecimal !== undefined) {
    const codePoint = Number.parseInt(hexadecimal, 16);
    return codePoint <= 0x10_ffff ? String.fromCodePoint(codePoint) : "";
  }
  if (/^\\c[a-zA-Z]$/.test(source)) return String.fromCharCode(source.charCodeAt(2) % 32);
  const last = [...source].at(-1) ?? "";
  return source.startsWith("\\") ? (CONTROLS[last] ?? last) : last;
}
