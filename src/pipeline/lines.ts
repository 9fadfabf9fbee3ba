// Occurrences → lines in the logs of the managed paths that want them: filter, size, format. Hot, in two
// passes over a batch, because the sizes of all files are asked for by one call in between.
import { DETAILS, detailsToMask, TYPE_BITS } from "../event.ts";
import { extraText, type PathText, pathText } from "../log/line.ts";
import type { ProcessText } from "../log/process-text.ts";
import type { Occurrence, Occurrences } from "../resolve/occurrence.ts";
import { LINE_ORDER, LINE_ORDER_REBORN } from "../resolve/order.ts";
import type { Place, Watch } from "../resolve/watch.ts";
import type { Attribution } from "./attribution.ts";
import { FileSizes, type WithMount } from "./file-sizes.ts";
import { SizeFilter, tellsSize } from "./size-filter.ts";
import type { WatchedPath } from "./watched-path.ts";

/** Types whose object is gone or elsewhere by then: their file_size is 0 and nothing is asked for. */
const SIZELESS = TYPE_BITS.DELETE | TYPE_BITS.DELETE_SELF | TYPE_BITS.MOVED_FROM | TYPE_BITS.FS_ERROR;
/** Types whose line may say how large the file was. */
const DELETED = TYPE_BITS.DELETE | TYPE_BITS.DELETE_SELF;
const CREATE_AND_DELETE = TYPE_BITS.CREATE | TYPE_BITS.DELETE;
/** What reading a log does to it: reported, it would feed whoever reads the log of the log (tail -f). */
const READING = TYPE_BITS.OPEN | TYPE_BITS.ACCESS | TYPE_BITS.CLOSE_NOWRITE;

/** What is kept with a place: its text, and whether it is fsmon's own log directory. */
interface PlaceText {
  text: PathText;
  /** The directory's path, decoded, for the patterns. */
  decoded: string;
  isLogDir: boolean;
  /** Tells it from every other place that there ever was. */
  serial: number;
}

/** One write a batch and log, unless the lines take more room than this: larger writes are no faster, and the room stays taken. */
const WRITE_BYTES = 256 * 1024;

/** Columns of a job: an occurrence as one managed path wants it. */
const JOB_OCCURRENCE = 0;
const JOB_PLACE = 1;
const JOB_MASK = 2;
const JOB_COLUMNS = 3;

export class LineMaker {
  private readonly sizes: FileSizes;
  private readonly sizeFilter = new SizeFilter();
  private placesMade = 0;
  private jobs = new Int32Array(1024 * JOB_COLUMNS);
  private jobCount = 0;
  /** Events that a filter left out, one for each managed path. */
  filtered = 0;
  /** Logs that have lines waiting. */
  private readonly dirty = new Set<WatchedPath>();

  constructor(
    private readonly watchOf: (watch: Watch) => WatchedPath | undefined,
    private readonly attribution: Attribution,
    private readonly logDir: string,
    /** What the daemon itself writes: the logs, and what it keeps beside them. */
    private readonly isOurs: (directory: string, name: string) => boolean,
    withMount: WithMount,
  ) {
    this.sizes = new FileSizes(withMount);
  }

  /** Formats a batch. The lines wait in each path's buffer for flush(). Returns how many there are. */
  make(occurrences: Occurrences, timeMs: number): number {
    this.sizes.clear();
    this.jobCount = 0;
    for (let i = 0; i < occurrences.count; i++) this.choose(occurrences.at(i), i);
    this.sizes.run();
    let lines = 0;
    for (let job = 0; job < this.jobCount; job++)
      lines += this.format(occurrences, job * JOB_COLUMNS, timeMs);
    this.sizeFilter.endBatch();
    return lines;
  }

  /** One write a log. */
  flush(timeMs: number): void {
    for (const watched of this.dirty) this.write(watched, timeMs);
    this.dirty.clear();
  }

  private write(watched: WatchedPath, timeMs: number): void {
    const { lines } = watched;
    if (lines.lines === 0) return;
    watched.log.append(lines.bytes, lines.used, lines.lines, timeMs);
    watched.eventsLogged += lines.lines;
    lines.clear();
  }

  /** First pass: which managed paths want it, and whether its size matters. */
  private choose(one: Occurrence, index: number): void {
    const { places } = one;
    let wantsSize = false;
    for (let p = 0; p < places.length; p++) {
      const place = places[p]!;
      const watched = this.watchOf(place.watch);
      if (watched === undefined) continue;
      let mask = one.mask & watched.filter.typesMask;
      const learns = watched.filter.minSizeBytes !== null && tellsSize(one);
      if (mask === 0 && !learns) continue;
      const place_ = this.placeText(place);
      const wanted = mask !== 0;
      if (place_.isLogDir && (mask & READING) !== 0 && this.readsLogs(one, place_)) mask &= ~READING;
      const excluded = this.isExcluded(one, place, place_, watched);
      if (excluded || !this.wantsCommand(one, watched)) mask = 0;
      if (wanted && mask === 0) this.countFiltered(watched);
      if (one.rescan !== null && mask !== 0) mask = this.found(one, mask, place_);
      // The size of a file that somebody else wrote matters when it is deleted.
      if (mask === 0 && (!learns || excluded)) continue;
      this.addJob(index, p, mask);
      if (needsSize(one, learns ? one.mask : mask)) wantsSize = true;
    }
    if (wantsSize) this.sizes.ask(one);
  }

  /** The managed path itself never is. */
  private isExcluded(one: Occurrence, place: Place, text: PlaceText, watched: WatchedPath): boolean {
    if (!watched.hasExcludes || one.nameBytes === 0 || place.onlyName !== null) return false;
    return watched.filter.excludesEntry(text.decoded, nameOf(one));
  }

  /** In the log directory: a log, or the directory itself, which is listed to find them. */
  private readsLogs(one: Occurrence, place: PlaceText): boolean {
    return one.nameBytes === 0 || this.isOurs(place.decoded, nameOf(one));
  }

  /** What a rescan found is bounded, and nothing of our own. */
  private found(one: Occurrence, mask: number, place: PlaceText): number {
    if (this.isOurs(place.decoded, nameOf(one))) return 0;
    return one.rescan!.take(bitCount(mask)) ? mask : 0;
  }

  private wantsCommand(one: Occurrence, { filter }: WatchedPath): boolean {
    if (!filter.hasCmdPatterns || one.error !== 0) return true;
    return filter.wantsCommand(one.found ? null : this.attribution.commOf(one.pid));
  }

  /** Second pass: the lines. */
  private format(occurrences: Occurrences, job: number, timeMs: number): number {
    const one = occurrences.at(this.jobs[job + JOB_OCCURRENCE]!);
    const place = one.places[this.jobs[job + JOB_PLACE]!]!;
    const mask = this.jobs[job + JOB_MASK]!;
    const watched = this.watchOf(place.watch)!;
    const size = this.sizes.of(one);
    const { text, serial } = this.placeText(place);
    let lastSize = -1;
    if (watched.filter.minSizeBytes !== null) {
      lastSize = this.sizeFilter.follow(one, serial, size);
      if (mask === 0) return 0;
      if (!sizePasses(one, mask, size, lastSize, watched)) {
        this.countFiltered(watched);
        return 0;
      }
    }
    const process = this.processText(one, watched);
    const { lines } = watched;
    const before = lines.lines;
    // Linked and unlinked within one event, and there now: the unlinking came first.
    const order =
      one.merged && this.sizes.isThere(one) && (mask & CREATE_AND_DELETE) === CREATE_AND_DELETE
        ? LINE_ORDER_REBORN
        : LINE_ORDER;
    for (const { bit, type } of order) {
      if ((mask & bit) === 0) continue;
      const otherKey = type === "MOVED_FROM" ? "to" : type === "MOVED_TO" ? "from" : null;
      const plain = otherKey === null && !one.directory && !one.merged && !one.found && one.error === 0;
      let extra = plain ? null : extraText({ ...extraOf(one), otherKey });
      if (lastSize >= 0 && (bit & DELETED) !== 0) extra = withLastSize(extra, lastSize);
      const bytes = size < 0 || one.directory || (bit & SIZELESS) !== 0 ? 0 : size;
      lines.add(
        timeMs,
        type,
        text,
        one.bytes,
        one.nameAt,
        one.nameBytes,
        process,
        bytes,
        watched.monitored,
        extra,
      );
    }
    const made = lines.lines - before;
    if (lines.used >= WRITE_BYTES) this.write(watched, timeMs);
    else this.dirty.add(watched);
    return made;
  }

  private countFiltered(watched: WatchedPath): void {
    watched.eventsFiltered++;
    this.filtered++;
  }

  private processText(one: Occurrence, watched: WatchedPath): ProcessText {
    if (one.found) return this.attribution.unseen;
    return one.error !== 0 ? this.attribution.nobody : this.attribution.textOf(one.pid, detailsOf(watched));
  }

  private placeText(place: Place): PlaceText {
    if (place.cached !== null) return place.cached as PlaceText;
    const decoded = place.path.length === 0 ? "/" : Buffer.from(place.path).toString();
    const isLogDir = decoded === this.logDir;
    const made: PlaceText = { text: pathText(place.path), decoded, isLogDir, serial: this.placesMade++ };
    place.cached = made;
    return made;
  }

  private addJob(occurrence: number, place: number, mask: number): void {
    const at = this.jobCount * JOB_COLUMNS;
    if (at === this.jobs.length) {
      const larger = new Int32Array(this.jobs.length * 2);
      larger.set(this.jobs);
      this.jobs = larger;
    }
    this.jobs[at + JOB_OCCURRENCE] = occurrence;
    this.jobs[at + JOB_PLACE] = place;
    this.jobs[at + JOB_MASK] = mask;
    this.jobCount++;
  }
}

function nameOf({ bytes, nameAt, nameBytes }: Occurrence): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + nameAt, nameBytes).toString();
}

function bitCount(mask: number): number {
  let count = 0;
  for (let left = mask; left !== 0; left &= left - 1) count++;
  return count;
}

function needsSize(one: Occurrence, mask: number): boolean {
  if (one.directory || one.gone || one.error !== 0 || (mask & ~SIZELESS) === 0) return false;
  // Gone already, unless it was linked again: then the size tells which came first.
  return (one.mask & TYPE_BITS.DELETE) === 0 || one.merged;
}

function sizePasses(
  one: Occurrence,
  mask: number,
  size: number,
  lastSize: number,
  { filter }: WatchedPath,
): boolean {
  if (one.directory) return filter.wantsSize(0);
  // What is gone is judged by its last known size; an event that can't be judged is kept.
  const known = size < 0 || (mask & ~SIZELESS) === 0 ? lastSize : size;
  return filter.wantsSize(known < 0 ? null : known);
}

function detailsOf({ managed }: WatchedPath): number {
  return managed.details || managed.args ? detailsToMask(managed.details ? DETAILS : [], managed.args) : 0;
}

function extraOf(one: Occurrence) {
  const { otherEnd, exchange, directory, merged, found, error, errorCount } = one;
  return { otherEnd, exchange, directory, merged, found, error, errorCount };
}

function withLastSize(extra: Uint8Array | null, sizeBytes: number): Uint8Array {
  const text = Buffer.from(`,"last_size":${sizeBytes}`);
  return extra === null ? text : Buffer.concat([extra, text]);
}
