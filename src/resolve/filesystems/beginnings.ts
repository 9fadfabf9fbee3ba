// Where managed paths begin in a filesystem's tree, and the directories above them in which their entries are looked out for. Kept by
// directory, for events, and by managed path, of which there may be thousands: none is looked for among all.

import { isAtOrBelow } from "../../containment.ts";
import { type Anchor, depthBelow, type Expectation, pathText, type Watch } from "../watch.ts";

type Kind = "anchors" | "expectations";

export class Beginnings {
  /** Nodes at which a managed path (or a mount below one) begins. */
  readonly anchors = new Map<number, Anchor[]>();
  /** Nodes of directories above managed paths: entries to look out for. */
  readonly expectations = new Map<number, Expectation[]>();
  private readonly nodes = new Map<Watch, Record<Kind, number[]>>();
  private excludes: boolean | null = null;

  addAnchor(node: number, anchor: Anchor): void {
    this.add("anchors", this.anchors, node, anchor);
  }

  addExpectation(node: number, expectation: Expectation): void {
    this.add("expectations", this.expectations, node, expectation);
  }

  /** Removes all that some managed paths have. Where thousands begin in one directory, its list is walked over once. */
  dropAll(watches: ReadonlySet<Watch>): void {
    const stays = (one: Anchor | Expectation) => !watches.has(one.watch);
    const anchored = new Set<number>();
    const expecting = new Set<number>();
    for (const watch of watches) {
      const known = this.nodes.get(watch);
      for (const node of known?.anchors ?? []) anchored.add(node);
      for (const node of known?.expectations ?? []) expecting.add(node);
      this.nodes.delete(watch);
    }
    for (const node of anchored) keep(this.anchors, node, stays);
    for (const node of expecting) keep(this.expectations, node, stays);
    this.excludes = null;
  }

  /** Removes what a managed path has deeper than a path of so many bytes. */
  dropBelow(watch: Watch, deeperThanBytes: number): void {
    const known = this.nodes.get(watch);
    if (known === undefined) return;
    const stays = (one: Anchor | Expectation) => one.watch !== watch || one.path.length <= deeperThanBytes;
    const isLeft = (lists: Map<number, (Anchor | Expectation)[]>) => (node: number) =>
      keep(lists, node, stays).some((one) => one.watch === watch);
    known.anchors = known.anchors.filter(isLeft(this.anchors));
    known.expectations = known.expectations.filter(isLeft(this.expectations));
    this.changed(watch);
  }

  /** The directory is gone. */
  forget(node: number): void {
    this.forgetIn("anchors", this.anchors, node);
    this.forgetIn("expectations", this.expectations, node);
  }

  /** Directories above mounts were renamed: what begins at those has another path from now on, or is out of reach. */
  moveMounted(renamed: (path: string) => string): void {
    // A copy: each is looked at once, or two that are exchanged would be so for ever.
    for (const [node, list] of [...this.anchors]) {
      const moved = list.map((anchor) => (anchor.depth === 0 ? anchor : movedBy(renamed, anchor)));
      if (moved.every((anchor, k) => anchor === list[k])) continue;
      const left = moved.filter((anchor) => anchor !== null);
      const lost = list.filter((_, k) => moved[k] === null);
      this.anchors.set(node, lost);
      this.forgetIn("anchors", this.anchors, node);
      if (left.length > 0) this.anchors.set(node, left);
    }
  }

  watches(): Iterable<Watch> {
    return this.nodes.keys();
  }

  get watchCount(): number {
    return this.nodes.size;
  }

  has(watch: Watch): boolean {
    return this.nodes.has(watch);
  }

  /** Nodes at which a managed path, or a mount below it, begins. */
  anchorsOf(watch: Watch): readonly number[] {
    return this.nodes.get(watch)?.anchors ?? [];
  }

  /** Whether any of the managed paths leaves directories out. */
  get hasExcludes(): boolean {
    this.excludes ??= [...this.anchors.values()].some((list) => list.some(({ watch }) => watch.hasExcludes));
    return this.excludes;
  }

  private add<T extends Anchor | Expectation>(
    kind: Kind,
    lists: Map<number, T[]>,
    node: number,
    one: T,
  ): void {
    const known = this.nodes.get(one.watch) ?? { anchors: [], expectations: [] };
    if (known[kind].includes(node)) return;
    this.nodes.set(one.watch, known);
    known[kind].push(node);
    const here = lists.get(node);
    if (here === undefined) lists.set(node, [one]);
    else here.push(one);
    this.excludes = null;
  }

  private forgetIn<T extends Anchor | Expectation>(kind: Kind, lists: Map<number, T[]>, node: number): void {
    for (const { watch } of lists.get(node) ?? []) {
      const known = this.nodes.get(watch);
      if (known !== undefined) known[kind] = known[kind].filter((one) => one !== node);
      this.changed(watch);
    }
    lists.delete(node);
  }

  private changed(watch: Watch): void {
    const { anchors = [], expectations = [] } = this.nodes.get(watch) ?? {};
    if (anchors.length === 0 && expectations.length === 0) this.nodes.delete(watch);
    this.excludes = null;
  }
}

/** The list is replaced: somebody may be walking over it. */
function keep<T>(lists: Map<number, T[]>, node: number, stays: (one: T) => boolean): readonly T[] {
  const kept = (lists.get(node) ?? []).filter(stays);
  if (kept.length === 0) lists.delete(node);
  else lists.set(node, kept);
  return kept;
}

/** Where the mount of an anchor is after a renaming; null where its managed path doesn't reach. */
function movedBy(renamed: (path: string) => string, anchor: Anchor): Anchor | null {
  const { watch } = anchor;
  const before = pathText(anchor.path);
  const path = renamed(before);
  if (path === before) return anchor;
  if (!isAtOrBelow(path, watch.path) || watch.excludesDirectory(path)) return null;
  return { watch, path: Buffer.from(path), depth: depthBelow(watch.path, path) };
}
