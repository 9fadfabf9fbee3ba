// Texts that make one regular expression work hardest: a beginning that it accepts, then the same few characters over and
// over, then something that makes the match fail at the last moment. An expression enters, pieces of texts leave.
// The expression is read roughly (its atoms, in order, without its structure): what isn't understood gives no sample.

export interface ProbeText {
  readonly prefix: string;
  readonly unit: string;
  readonly tail: string;
}

/** The prefix, the unit over and over, the tail. `length` is the middle's, in UTF-16 units. */
export function grown({ prefix, unit, tail }: ProbeText, length: number): string {
  return `${prefix}${unit.repeat(Math.ceil(length / unit.length)).slice(0, length)}${tail}`;
}

// Prefixes × units × tails texts a length: some 20 to 60 ms for the whole probe of an honest expression.
const MAX_PREFIXES = 24;
const MAX_UNITS = 24;
const MAX_SUFFIXES = 12;
// Names begin with dates and ids: `\d{4}`, `[0-9a-f]{40}`.
const MAX_COUNT = 40;

// Tried in this order for what stands for many characters: `[^x]`, `\W`, `\p{Lu}`.
const CANDIDATES = [..."a/0 A-._zZé\n\u0001中"];

/** At least one text; a few hundred for a long expression. */
export function probeTexts(regex: RegExp): ProbeText[] {
  const atoms = atomsOf(regex);
  const samples = atoms.map(({ sample }) => sample);
  const distinct = [...new Set(atoms.flatMap(({ own }) => own))];
  const pairs = samples.slice(1).map((sample, index) => `${samples[index] ?? ""}${sample}`);
  const wanted = [...distinct.slice(0, MAX_UNITS / 2), "a", "/", "0", " ", samples.join(""), ...pairs];
  const units = [...new Set(wanted)].filter((unit) => unit !== "").slice(0, MAX_UNITS);

  // Beginnings of the expression's own text, so that what stands behind `^/var/` is reached too.
  const prefixes = new Set([""]);
  const step = Math.max(1, Math.ceil(samples.length / MAX_PREFIXES));
  for (let end = 1; end <= samples.length; end += step) prefixes.add(samples.slice(0, end).join(""));
  const tails = tailsFor(atoms);
  const texts = [...prefixes].flatMap((prefix) =>
    units.flatMap((unit) => tails.map((tail) => ({ prefix, unit, tail }))),
  );
  if (!/\(\?<[=!]/.test(regex.source)) return texts;

  // What looks behind is compared from right to left: it begins at what follows it, and must fail at the text's head.
  for (let count = 1; count <= Math.min(samples.length, MAX_SUFFIXES); count++) {
    const tail = samples.slice(-count).join("");
    texts.push(...units.map((unit) => ({ prefix: "\u0001", unit, tail })));
  }
  return texts;
}

/** `sample`: a character that it matches; `own`: the sample and those that it names; `alone`: matches just one character. */
interface Atom {
  readonly sample: string;
  readonly own: readonly string[];
  readonly alone: RegExp;
}

// Openings of groups, and counts: no atoms. An escape, a class, a single character: atoms.
const NOT_ATOMS = String.raw`\(\?(?:[a-z-]*:|<?[=!]|<[^>]*>)|\{(?<count>\d+)(?:,\d*)?\}`;
const ATOM = String.raw`\\(?:u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[a-zA-Z]|[pP]\{[^}]*\}|k<[^>]*>|.)|\[(?:\\.|[^\]\\])*\]|[^\\^$*+?()[\]{}|]`;
const PART = new RegExp(`${NOT_ATOMS}|(?<atom>${ATOM})`, "gsu");

function atomsOf(regex: RegExp): Atom[] {
  const atoms: Atom[] = [];
  for (const { groups } of regex.source.matchAll(PART)) {
    const source = groups?.atom;
    if (source === undefined) {
      const last = atoms.at(-1);
      // `[a-z]{3}`: what stands behind it is reached by three.
      const more = Math.min(Number(groups?.count ?? 1), MAX_COUNT) - 1;
      for (let added = 0; last !== undefined && added < more; added++) atoms.push(last);
      continue;
    }
    const alone = compiled(`^(?:${source})$`, regex.flags);
    // A class's own characters come before the candidates: where two classes overlap, one of them begins.
    const named = source.startsWith("[") ? namedIn(source) : [decoded(source)];
    const own = named.filter((character) => alone?.test(character));
    const sample = own[0] ?? CANDIDATES.find((character) => alone?.test(character));
    if (alone !== null && sample !== undefined) atoms.push({ sample, own: [sample, ...own], alone });
  }
  return atoms;
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
  const members = new RegExp(ATOM.replace(String.raw`|\[(?:\\.|[^\]\\])*\]`, ""), "gsu");
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

/** U+0001, which nearly nothing matches, and where something does (`\W`, `[^a]`), the character that the fewest match. */
function tailsFor(atoms: readonly Atom[]): string[] {
  const matching = (character: string) => atoms.filter(({ alone }) => alone.test(character)).length;
  let fewest = "\u0001";
  let count = matching(fewest);
  const tried = count === 0 ? [] : new Set([...CANDIDATES, ...atoms.flatMap(({ own }) => own), ..."bxBX1"]);
  for (const character of tried) {
    const its = matching(character);
    if (its < count) [fewest, count] = [character, its];
  }
  // For a negated class the character that it names is the only one that stops it.
  return [...new Set(["\u0001", fewest])];
}
