// Texts that make one regular expression work hardest: a beginning that it accepts, then what a repetition takes over and
// over, then something that makes the match fail at the last moment. An expression enters, pieces of texts leave.
// They come from the expression's shape (regex-shape.ts), several of each kind, for nothing is known of what it means.
import { type Atom, CANDIDATES, type Piece, shapeOf } from "./regex-shape.ts";

export interface ProbeText {
  readonly prefix: string;
  readonly unit: string;
  readonly tail: string;
}

/** The prefix, so many units cut at so many characters (UTF-16 units), the tail. */
export function grown({ prefix, unit, tail }: ProbeText, repeats: number, characters: number): string {
  const enough = Math.min(repeats, Math.ceil(characters / unit.length));
  return `${prefix}${unit.repeat(enough).slice(0, characters)}${tail}`;
}

// Repetitions × units × tails texts a length: some 20 to 60 ms for the whole probe of an honest expression.
const MAX_REPETITIONS = 24;
const MAX_UNITS = 24;
const MAX_SUFFIXES = 12;
// What is put together from parts that each may come often is bounded: `(\d{40}){40}`.
const MAX_SAMPLE = 256;

/** How a sample is made: with the optional or without, which alternatives, whose character stands for an atom. */
interface Choice {
  readonly optional: boolean;
  readonly alternative: number;
  readonly shared: boolean;
}

const PLAIN: Choice = { optional: true, alternative: 0, shared: false };
const CHOICES: readonly Choice[] = [0, 1, 2].flatMap((alternative) =>
  [false, true].flatMap((shared) => [true, false].map((optional) => ({ optional, alternative, shared }))),
);

/** At least one text; a few hundred for a long expression. */
export function probeTexts(regex: RegExp): ProbeText[] {
  const { whole, atoms } = shapeOf(regex);
  const sampler = new Sampler(atoms);
  const singles = sampler.singles(whole);
  const distinct = [...new Set(atoms.flatMap(({ own }) => own))];
  const pairs = singles.slice(1).map((single, index) => `${singles[index] ?? ""}${single}`);
  const wanted = [...distinct.slice(0, MAX_UNITS / 2), "a", "/", "0", " ", singles.join(""), ...pairs];
  const units = bounded(wanted);
  const tails = tailsFor(atoms);
  const repetitions = [{ prefix: "", units: [] }, ...sampler.repetitions(whole)];
  const texts = repetitions.flatMap(({ prefix, units: itsOwn }) =>
    [...new Set([...itsOwn, ...units])].flatMap((unit) => tails.map((tail) => ({ prefix, unit, tail }))),
  );
  if (!/\(\?<[=!]/.test(regex.source)) return texts;

  // What looks behind is compared from right to left: it begins at what follows it, and must fail at the text's head.
  const all = [...new Set([...units, ...repetitions.flatMap((repetition) => repetition.units)])];
  for (let taken = 1; taken <= Math.min(singles.length, MAX_SUFFIXES); taken++) {
    const tail = singles.slice(-taken).join("");
    texts.push(...all.map((unit) => ({ prefix: "\u0001", unit, tail })));
  }
  return texts;
}

function bounded(units: readonly string[]): string[] {
  return [...new Set(units)].filter((unit) => unit !== "").slice(0, MAX_UNITS);
}

/** What stands before a repetition, and what it may take. */
interface Repetition {
  readonly prefix: string;
  readonly units: readonly string[];
}

class Sampler {
  /** For each atom the character of all atoms' that the most of them match: where alternatives overlap. */
  private readonly shared = new Map<Atom, string>();

  constructor(atoms: readonly Atom[]) {
    const pool = [...new Set(atoms.flatMap(({ own }) => own))].slice(0, 4 * MAX_UNITS);
    const ranked = pool
      .map((character) => ({ character, count: matching(atoms, character) }))
      .sort((left, right) => right.count - left.count);
    for (const atom of atoms) {
      const best = ranked.find(({ character }) => atom.alone.test(character))?.character;
      this.shared.set(atom, best ?? atom.own[0] ?? "");
    }
  }

  /** A character for each atom, in order, whatever group it is in. */
  singles(piece: Piece): string[] {
    if (piece.atom !== null) return [piece.atom.own[0] ?? ""];
    return piece.alternatives.flat().flatMap((inner) => this.singles(inner));
  }

  /** What may come again, from left to right, what is within another included: the first ones of them. */
  repetitions(piece: Piece, prefix = "", found: Repetition[] = []): readonly Repetition[] {
    if (found.length >= MAX_REPETITIONS) return found;
    if (piece.repeats) found.push({ prefix, units: this.units(piece) });
    for (const alternative of piece.alternatives) {
      let before = prefix;
      for (const inner of alternative) {
        this.repetitions(inner, before, found);
        before += this.sample([inner], PLAIN);
      }
    }
    return found;
  }

  /** What each alternative takes, and what two of them take in a row: `(ab|c|a|bc)+` takes "abc" in two ways. */
  private units(piece: Piece): string[] {
    if (piece.atom !== null) return [];
    const each = piece.alternatives.flatMap((alternative) =>
      CHOICES.map((choice) => this.sample(alternative, choice)),
    );
    const plain = bounded(piece.alternatives.map((alternative) => this.sample(alternative, PLAIN)));
    const inARow = plain.flatMap((left) => plain.map((right) => left + right));
    return [...bounded(each), ...bounded(inARow)];
  }

  private sample(sequence: readonly Piece[], choice: Choice): string {
    let text = "";
    for (const { atom, alternatives, looks, least } of sequence) {
      if (looks) continue;
      const once =
        atom === null
          ? this.sample(alternatives[choice.alternative % alternatives.length] ?? [], choice)
          : ((choice.shared ? this.shared.get(atom) : atom.own[0]) ?? "");
      text += once.repeat(Math.max(least, Number(choice.optional)));
      if (text.length > MAX_SAMPLE) return text.slice(0, MAX_SAMPLE);
    }
    return text;
  }
}

function matching(atoms: readonly Atom[], character: string): number {
  return atoms.filter(({ alone }) => alone.test(character)).length;
}

/** U+0001, which nearly nothing matches, and where something does (`\W`, `[^a]`), the character that the fewest match. */
function tailsFor(atoms: readonly Atom[]): string[] {
  let fewest = "\u0001";
  let count = matching(atoms, fewest);
  if (count === 0) return [fewest];
  // For a negated class the character that it names is the only one that stops it.
  for (const character of new Set([...CANDIDATES, ...atoms.flatMap(({ named }) => named), ..."bxBX1"])) {
    const its = matching(atoms, character);
    if (its < count) [fewest, count] = [character, its];
  }
  // Where every character goes on (`.`), the text's end stops it.
  return [...new Set(["\u0001", fewest, ...(count === 0 ? [] : [""])])];
}
