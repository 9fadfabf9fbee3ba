// The filters of one managed path, compiled: what a person asked for enters, and each event is put to the questions
// below. What they can't judge (an unknown program, an unknown size) they let pass.
// Knows nothing of the kernel and of the tree; paths are decoded text, invalid bytes shown as U+FFFD.
import { type FilterSpec, TYPE_BITS, typesToMask } from "../event.ts";
import { CommandMatcher, type ExcludeMatcher, excludeMatcher } from "./matcher.ts";
import { type Pattern, parsePatternList } from "./pattern.ts";
import { refuseRunaway } from "./probe.ts";

/** All questions are for one managed path; an event is logged when every answer is in its favour. */
export interface CaptureFilter {
  /** The wanted types as FAN_* bits. */
  readonly typesMask: number;
  /**
   * What the kernel is asked for: the wanted types, and with a size filter what tells the sizes of files that are to be
   * judged when they are gone.
   */
  readonly askedMask: number;
  readonly recursive: boolean;
  /** Smallest `file_size` to log, in bytes; null when any will do. */
  readonly minSizeBytes: number | null;
  /** True when excludesEntry() and excludesDirectory() look at whole paths, not only at names. */
  readonly hasPathPatterns: boolean;
  readonly hasCmdPatterns: boolean;
  /**
   * Whether a directory is left out with everything below it: a pattern matches it, or a directory between it and the
   * managed path. The managed path itself never is, nor anything outside it. Not for every event: the answer holds as
   * long as the directory keeps its path, so the caller keeps it.
   *
   * @param absolutePath without a slash at the end
   */
  excludesDirectory(absolutePath: string): boolean;
  /**
   * Hot. Whether an entry is left out for its own name or path. Its directory must have passed excludesDirectory().
   * False for the managed path itself, as an entry of its parent.
   */
  excludesEntry(directoryPath: string, name: string): boolean;
  /**
   * Hot. Whether both command filters let a program pass; the answer is kept for each name.
   *
   * @param comm as the kernel gives it, at most 15 bytes; null when unknown, which passes
   */
  wantsCommand(comm: string | null): boolean;
  /** Hot. Null (unknown) passes. */
  wantsSize(sizeBytes: number | null): boolean;
}

/**
 * @param spec patterns as typed, each list element may hold several
 * @param managedPath absolute, without a slash at the end except for "/"
 * @throws {UsageFailure} quoting a pattern that does not parse
 */
export function compileFilter(spec: FilterSpec, managedPath: string): CaptureFilter {
  return new CompiledFilter(spec, managedPath);
}

/**
 * What `add` asks on top of compileFilter(): tries each regular expression on long texts, some 0.1 s each.
 *
 * @throws {UsageFailure} quoting a pattern that does not parse or runs away
 */
export function checkPatterns(spec: Pick<FilterSpec, "exclude" | "excludeCmd" | "onlyCmd">): void {
  const exclude = parseAll(spec.exclude);
  excludeMatcher(exclude);
  for (const pattern of [...exclude, ...parseAll(spec.excludeCmd), ...parseAll(spec.onlyCmd)]) {
    if (pattern.kind === "regex") refuseRunaway(pattern.regex, pattern.typed);
  }
}

function parseAll(lists: readonly string[]): Pattern[] {
  return lists.flatMap(parsePatternList);
}

// Programs may give themselves any name, so the answers kept are bounded; 1024 names are more than a busy server runs.
const MAX_KNOWN_COMMANDS = 1024;

/** Types whose file is gone: only its last known size can be judged. */
const GONE = typesToMask(["DELETE", "DELETE_SELF", "MOVED_FROM"]);

class CompiledFilter implements CaptureFilter {
  readonly typesMask: number;
  readonly askedMask: number;
  readonly recursive: boolean;
  readonly minSizeBytes: number | null;
  readonly hasPathPatterns: boolean;
  readonly hasCmdPatterns: boolean;
  private readonly managedPath: string;
  /** The managed path with a slash at its end: what everything below it begins with. */
  private readonly below: string;
  private readonly exclude: ExcludeMatcher;
  private readonly hasNamePatterns: boolean;
  private readonly excludeCmd: CommandMatcher;
  private readonly onlyCmd: CommandMatcher;
  private readonly knownCommands = new Map<string, boolean>();

  constructor(spec: FilterSpec, managedPath: string) {
    this.typesMask = typesToMask(spec.types);
    const needsSizes = spec.minSizeBytes !== null && (this.typesMask & GONE) !== 0;
    this.askedMask = needsSizes ? this.typesMask | TYPE_BITS.CLOSE_WRITE : this.typesMask;
    this.recursive = spec.recursive;
    this.minSizeBytes = spec.minSizeBytes;
    this.managedPath = managedPath;
    this.below = managedPath.endsWith("/") ? managedPath : `${managedPath}/`;
    this.exclude = excludeMatcher(parseAll(spec.exclude));
    this.hasNamePatterns = !this.exclude.names.empty;
    this.hasPathPatterns = !this.exclude.paths.empty;
    this.excludeCmd = new CommandMatcher(parseAll(spec.excludeCmd));
    this.onlyCmd = new CommandMatcher(parseAll(spec.onlyCmd));
    this.hasCmdPatterns = !this.excludeCmd.empty || !this.onlyCmd.empty;
  }

  excludesDirectory(absolutePath: string): boolean {
    if (!absolutePath.startsWith(this.below)) return false;
    for (let start = this.below.length; start < absolutePath.length; ) {
      const slash = absolutePath.indexOf("/", start);
      const end = slash < 0 ? absolutePath.length : slash;
      if (this.hasNamePatterns && this.exclude.names.matches(absolutePath.slice(start, end))) return true;
      if (this.hasPathPatterns && this.exclude.paths.matches(absolutePath.slice(0, end))) return true;
      start = end + 1;
    }
    return false;
  }

  excludesEntry(directoryPath: string, name: string): boolean {
    // Above the managed path stands only the managed path itself, as its parent's entry.
    if (directoryPath.length < this.managedPath.length) return false;
    if (this.hasNamePatterns && this.exclude.names.matches(name)) return true;
    if (!this.hasPathPatterns) return false;
    return this.exclude.paths.matches(directoryPath === "/" ? `/${name}` : `${directoryPath}/${name}`);
  }

  wantsCommand(comm: string | null): boolean {
    if (comm === null || !this.hasCmdPatterns) return true;
    const known = this.knownCommands.get(comm);
    if (known !== undefined) return known;
    // In doubt the event is kept: only a certain match leaves it out, and only a certain miss isn't kept.
    const wanted =
      (this.onlyCmd.empty || this.onlyCmd.judge(comm) !== "no") && this.excludeCmd.judge(comm) !== "yes";
    if (this.knownCommands.size >= MAX_KNOWN_COMMANDS) this.knownCommands.clear();
    this.knownCommands.set(comm, wanted);
    return wanted;
  }

  wantsSize(sizeBytes: number | null): boolean {
    return this.minSizeBytes === null || sizeBytes === null || sizeBytes >= this.minSizeBytes;
  }
}
