// The plainest matcher there is, to compare src/filter/glob.ts with: a glob as a tree, and the set of all places where a
// match of it can end. Slow, and written without a look at the real one.

export type Node =
  | { kind: "char"; char: string }
  | { kind: "any" }
  | { kind: "star" }
  | { kind: "set"; negated: boolean; members: [string, string][] }
  | { kind: "either"; choices: Node[][] };

const ALPHABET = ["a", "b", "c", "/", ".", "-", "]", "é", "😀", "*", ","];

export function referenceMatches(glob: Node[], text: string): boolean {
  const characters = [...text];
  return endsOf(glob, characters, 0).has(characters.length);
}

function endsOf(nodes: Node[], characters: string[], start: number): Set<number> {
  let places = new Set([start]);
  for (const node of nodes) {
    const next = new Set<number>();
    for (const place of places) for (const end of endsOfNode(node, characters, place)) next.add(end);
    places = next;
  }
  return places;
}

function endsOfNode(node: Node, characters: string[], place: number): Iterable<number> {
  const character = characters[place];
  if (node.kind === "star")
    return Array.from({ length: characters.length - place + 1 }, (_, more) => place + more);
  if (node.kind === "either") return node.choices.flatMap((choice) => [...endsOf(choice, characters, place)]);
  if (character === undefined) return [];
  if (node.kind === "any") return [place + 1];
  if (node.kind === "char") return node.char === character ? [place + 1] : [];
  const point = (text: string) => text.codePointAt(0) ?? 0;
  const inside = node.members.some(
    ([from, to]) => point(from) <= point(character) && point(character) <= point(to),
  );
  return inside !== node.negated ? [place + 1] : [];
}

/** The glob as a person would type it, whatever is special escaped. */
export function rendered(nodes: Node[]): string {
  return nodes
    .map((node) => {
      if (node.kind === "star") return "*";
      if (node.kind === "any") return "?";
      if (node.kind === "char") return escaped(node.char);
      if (node.kind === "either") return `{${node.choices.map(rendered).join(",")}}`;
      const members = node.members.map(([from, to]) =>
        from === to ? escaped(from) : `${escaped(from)}-${escaped(to)}`,
      );
      return `[${node.negated ? "!" : ""}${members.join("")}]`;
    })
    .join("");
}

function escaped(character: string): string {
  return /[*?[\]{}\\,|!^-]/.test(character) ? `\\${character}` : character;
}

type Below = (bound: number) => number;

export function randomGlob(below: Below, depth: number): Node[] {
  return Array.from({ length: below(6) + (depth === 2 ? 1 : 0) }, () => randomNode(below, depth));
}

function randomNode(below: Below, depth: number): Node {
  const kind = below(10);
  if (kind < 5) return { kind: "char", char: randomCharacter(below) };
  if (kind === 5) return { kind: "any" };
  if (kind < 8) return { kind: "star" };
  if (kind === 8 && depth > 0) {
    return {
      kind: "either",
      choices: Array.from({ length: below(3) + 1 }, () => randomGlob(below, depth - 1)),
    };
  }
  const members = Array.from({ length: below(3) + 1 }, (): [string, string] => {
    const ends = [randomCharacter(below), randomCharacter(below)].sort(
      (left, right) => (left.codePointAt(0) ?? 0) - (right.codePointAt(0) ?? 0),
    );
    return [ends[0] ?? "a", ends[1] ?? "a"];
  });
  return { kind: "set", negated: below(2) === 0, members };
}

/** A text that the glob could well match: made along its nodes, then perhaps changed in one place. */
export function randomText(glob: Node[], below: Below): string {
  const characters = [...sampled(glob, below)];
  if (below(3) === 0) characters.splice(below(characters.length + 1), below(2), randomCharacter(below));
  return characters.join("");
}

function sampled(nodes: Node[], below: Below): string {
  return nodes
    .map((node) => {
      if (node.kind === "char") return node.char;
      if (node.kind === "either") return sampled(node.choices[below(node.choices.length)] ?? [], below);
      const length = node.kind === "star" ? below(4) : 1;
      return Array.from({ length }, () => randomCharacter(below)).join("");
    })
    .join("");
}

function randomCharacter(below: Below): string {
  return ALPHABET[below(ALPHABET.length)] ?? "a";
}
