// The order of the stages, known here and nowhere else:
//   read fanotify → drain the process streams → resolve places → attribute → filter → write.
// fanotify is read first and the process streams second: a program's exec record is written before its first
// instruction runs, so in this order the record of every pid in a batch is there (80,000 of 80,000). The
// other way round would not be safe.
import { describeEvents } from "../decode/describe.ts";
import { decodeFanEvents, EventBatch } from "../decode/fan.ts";
import type { ProcessRecord } from "../decode/process.ts";
import type { GapReason, ManagedPath } from "../event.ts";
import { FanotifyGroup } from "../kernel/fanotify.ts";
import { monotonicNs } from "../kernel/monotonic.ts";
import { EPOLLIN, EPOLLPRI, Waiter } from "../kernel/waiter.ts";
import { LogClock } from "../log/clock.ts";
import type { Gap } from "../log/state.ts";
import type { LogWriter } from "../log/writer.ts";
import { type IdentificationWay, ProcessStreams } from "../process/streams.ts";
import { ProcessTable } from "../process/table.ts";
import { attach } from "../resolve/attach.ts";
import { Filesystems } from "../resolve/filesystems.ts";
import { MountWatch } from "../resolve/mounts.ts";
import { Occurrences } from "../resolve/occurrence.ts";
import { Resolver } from "../resolve/resolver.ts";
import { beginVerification, TreeScanner } from "../resolve/scanner.ts";
import type { StructureListener } from "../resolve/structure.ts";
import type { Watch } from "../resolve/watch.ts";
import { Attribution } from "./attribution.ts";
import { LineMaker } from "./lines.ts";
import { Pace } from "./pace.ts";
import { WatchedPath } from "./watched-path.ts";

/** One read's worth: about 4,000 events. Larger buffers cost memory and save nothing. */
const BATCH_BYTES = 512 * 1024;
/**
 * Room for the largest event (656 bytes: a rename with two 255-byte names on btrfs), or read(2) answers
 * EINVAL.
 */
const EVENT_MAX_BYTES = 4096;
/**
 * Batches before the event loop gets a turn: control requests and signals must not wait for a storm's end.
 */
const BATCHES_PER_TURN = 8;
/** Of a scan, between two looks at the events. */
const SCAN_SLICE_MS = 3;

export interface PipelineOptions {
  queueEvents: number;
  identification: IdentificationWay;
  logDir: string;
  /** Gets a line for each raw event; null unless asked for. */
  debug: ((line: string) => void) | null;
  /** A fault that must end the daemon. */
  onFault: (error: unknown) => void;
}

export class Pipeline implements StructureListener {
  readonly group: FanotifyGroup;
  readonly streams: ProcessStreams;
  readonly clock = new LogClock();
  readonly gaps: Partial<Record<GapReason, number>> = {};
  readonly watched = new Map<string, WatchedPath>();
  eventsRead = 0;
  eventsLogged = 0;
  queueDepthMax = 0;

  private readonly table = new ProcessTable();
  private readonly attribution = new Attribution(this.table);
  private readonly byId: (WatchedPath | undefined)[] = [];
  private readonly filesystems: Filesystems;
  private readonly resolver: Resolver;
  private readonly scanner = new TreeScanner();
  private readonly lines: LineMaker;
  private readonly batch = new EventBatch(BATCH_BYTES);
  private readonly occurrences = new Occurrences();
  private readonly records: ProcessRecord[] = [];
  private readonly pace = new Pace();
  private readonly mounts = new MountWatch();
  private readonly waiter: Waiter;
  private readonly toAttach = new Set<WatchedPath>();
  /** When the queue was last seen empty: everything before is complete. */
  private emptiedMs = Date.now();
  /** The same on the process records' clock. */
  private emptiedNs = monotonicNs();
  private timer: ReturnType<typeof setTimeout> | null = null;
  private stopped = false;

  constructor(private readonly options: PipelineOptions) {
    this.group = FanotifyGroup.open(options.queueEvents);
    this.streams = new ProcessStreams(options.identification);
    // After the streams were opened: whoever is forked from now on is told by them.
    this.table.seed();
    this.filesystems = new Filesystems(this.group, (watch) => this.byId[watch.id]?.filter.typesMask ?? 0);
    this.resolver = new Resolver(this.filesystems, this, process.pid);
    this.lines = new LineMaker((id) => this.byId[id], this.attribution, options.logDir);
    this.waiter = new Waiter((fd) => {
      if (fd === this.mounts.fd) this.mounts.noteChange();
      this.guarded(() => this.turn());
    });
    this.waiter.add(this.group.fd, EPOLLIN);
    this.waiter.add(this.mounts.fd, EPOLLPRI);
    for (const fd of this.streams.fds) this.waiter.add(fd, EPOLLIN);
  }

  /** Begins to serve events. */
  start(): void {
    this.schedule(0);
  }

  /**
   * Puts a path under watch, or gives it other filters: the very next operation below it is recorded by them.
   */
  add(managed: ManagedPath, openLog: () => LogWriter): WatchedPath {
    const known = this.watched.get(managed.path);
    // What happened before belongs to the old filters.
    this.drain();
    let watched: WatchedPath;
    if (known !== undefined) {
      watched = known;
      this.detach(watched);
      watched.replace(managed);
    } else {
      watched = new WatchedPath(this.byId.length, managed, openLog());
      this.watched.set(managed.path, watched);
      this.byId.push(watched);
    }
    this.attach(watched);
    this.settleFilesystems();
    this.schedule(0);
    return watched;
  }

  /** Takes a path out: what happened until now is still written, the very next operation is not. */
  remove(path: string): WatchedPath | null {
    const watched = this.watched.get(path);
    if (watched === undefined) return null;
    this.drain();
    this.detach(watched);
    this.watched.delete(path);
    this.byId[watched.id] = undefined;
    this.settleFilesystems();
    return watched;
  }

  /** Writes a GAP into the logs of these paths: something may be missing between fromMs and now. */
  gap(
    paths: Iterable<WatchedPath>,
    reason: GapReason,
    fromMs: number,
    lost: number | null,
    timeMs = this.now(),
  ): void {
    for (const watched of paths) {
      this.gapOf(watched, { reason, fromMs, toMs: timeMs, lost }, timeMs);
    }
  }

  /** One path's own GAP, from before it was watched. */
  gapOf(watched: WatchedPath, gap: Gap, timeMs: number): void {
    watched.log.gap(gap, timeMs);
    watched.gaps++;
    this.gaps[gap.reason] = (this.gaps[gap.reason] ?? 0) + 1;
  }

  /** Directories known on the filesystems of a managed path, and whether they are still being scanned. */
  extentOf(watched: WatchedPath): { directories: number; scanning: boolean } {
    let directories = 0;
    let scanning = false;
    for (const fs of this.filesystems.all()) {
      if (!fs.watches().has(watched)) continue;
      directories += fs.tree.size;
      scanning ||= fs.unscanned.length > 0;
    }
    return { directories, scanning };
  }

  /** Everything the kernel has queued is written when this returns. */
  drain(): void {
    // Bounded: a storm that never ends must not hold up whoever waits for this. One queue's worth is what was
    // there when it began.
    let left = this.group.pendingEvents();
    do {
      const { events, emptied } = this.round();
      left -= events;
      if (emptied) break;
    } while (left > 0);
  }

  stop(): void {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.drain();
    this.streams.close();
    this.group.close();
    this.mounts.close();
  }

  // --- StructureListener -----------------------------------------------------------------------------------------

  appeared(watch: Watch): void {
    const watched = this.byId[watch.id];
    if (watched === undefined) return;
    watched.state = "watched";
    watched.reason = null;
  }

  vanished(watch: Watch): void {
    const watched = this.byId[watch.id];
    if (watched === undefined) return;
    watched.state = "pending";
    watched.reason = "it doesn't exist at the moment";
  }

  needsAttach(watch: Watch): void {
    const watched = this.byId[watch.id];
    if (watched !== undefined) this.toAttach.add(watched);
  }

  // --- the loop --------------------------------------------------------------------------------------------------

  private turn(): void {
    this.timer = null;
    if (this.stopped) return;
    let events = 0;
    let emptied = false;
    for (let i = 0; i < BATCHES_PER_TURN && !emptied; i++) {
      const round = this.round();
      events += round.events;
      emptied = round.emptied;
    }
    if (emptied) {
      this.table.sweep();
      this.attribution.refresh();
      this.lookAtMounts();
    }
    const scanning = this.scanSlice();
    const delayMs = scanning ? 0 : this.pace.next(events, emptied);
    if (delayMs === null) this.waiter.arm();
    else this.schedule(delayMs);
  }

  private schedule(delayMs: number): void {
    if (this.stopped || this.timer !== null) return;
    this.timer = setTimeout(() => this.guarded(() => this.turn()), delayMs);
  }

  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.options.onFault(error);
    }
  }

  /** One batch through all the stages. */
  private round(): { events: number; emptied: boolean } {
    const { batch, occurrences } = this;
    batch.clear();
    const beforeNs = monotonicNs();
    const emptied = this.fillBatch();
    this.streams.drain(this.records, (count) => this.processRecordsLost(count));
    this.table.apply(this.records);
    if (batch.count === 0) {
      this.emptiedMs = this.now();
      this.emptiedNs = beforeNs;
      return { events: 0, emptied };
    }
    this.eventsRead += batch.count;
    if (this.options.debug !== null) describeEvents(batch, this.options.debug);
    const timeMs = this.now();
    occurrences.clear();
    this.attribution.beginBatch(this.emptiedNs);
    this.resolver.resolve(batch, occurrences);
    this.eventsLogged += this.lines.make(occurrences, timeMs);
    this.lines.flush(timeMs);
    if (this.resolver.overflowed) this.overflow(timeMs);
    if (emptied) {
      this.emptiedMs = timeMs;
      this.emptiedNs = beforeNs;
    }
    if (this.toAttach.size > 0) this.attachAgain();
    return { events: batch.count, emptied };
  }

  /** Reads until the queue is empty or the buffer full. Returns whether it was empty. */
  private fillBatch(): boolean {
    const { batch } = this;
    while (batch.bytes.length - batch.usedBytes >= EVENT_MAX_BYTES) {
      const from = batch.usedBytes;
      const got = this.group.read(from === 0 ? batch.bytes : batch.bytes.subarray(from));
      if (got === 0) return true;
      decodeFanEvents(batch, from, from + got);
    }
    return false;
  }

  /** The time of what is written now, never going back; a clock that was set shows in every log. */
  now(): number {
    const { timeMs, jump } = this.clock.now();
    if (jump !== null) this.gap(this.watched.values(), "clock", jump.fromMs, 0, timeMs);
    return timeMs;
  }

  private overflow(timeMs: number): void {
    // The kernel doesn't say which filesystem lost what, nor how much: every log is concerned.
    this.gap(this.watched.values(), "queue_overflow", this.emptiedMs, null, timeMs);
    for (const fs of this.filesystems.all()) beginVerification(fs);
  }

  private processRecordsLost(count: number | null): void {
    this.gap(this.watched.values(), "process_stream_lost", this.emptiedMs, count);
    this.table.repair();
  }

  private scanSlice(): boolean {
    let left = false;
    const untilMs = performance.now() + SCAN_SLICE_MS;
    for (const fs of this.filesystems.all()) {
      if (fs.unscanned.length === 0) continue;
      // A filesystem that can't be opened any more (unmounted) has nothing to scan.
      const done = this.filesystems.withMount(
        fs,
        (mountFd) => this.scanner.scanSlice(fs, mountFd, untilMs),
        null,
      );
      if (done === null) fs.unscanned.length = 0;
      else if (!done) left = true;
    }
    return left;
  }

  // --- managed paths and filesystems -----------------------------------------------------------------------------

  private attach(watched: WatchedPath): void {
    watched.take(attach(this.filesystems, watched));
  }

  private detach(watched: WatchedPath): void {
    for (const fs of this.filesystems.all()) fs.drop(watched);
    this.toAttach.delete(watched);
  }

  private attachAgain(): void {
    for (const watched of this.toAttach) {
      this.detach(watched);
      this.attach(watched);
    }
    this.toAttach.clear();
    this.filesystems.updateMarks();
  }

  /** Marks and trees follow what is managed now. */
  private settleFilesystems(): void {
    this.filesystems.updateMarks();
    for (const fs of this.filesystems.all()) fs.sweep();
  }

  /**
   * Something was mounted or unmounted: what is managed may be elsewhere now, or gone with its mark, which
   * the kernel removes silently.
   */
  private lookAtMounts(): void {
    if (!this.mounts.changed()) return;
    for (const fs of this.filesystems.refreshMounts()) {
      const concerned = [...fs.watches()]
        .map((watch) => this.byId[watch.id])
        .filter((one) => one !== undefined);
      this.gap(concerned, "unmounted", this.emptiedMs, null);
    }
    for (const watched of this.watched.values()) this.toAttach.add(watched);
    this.attachAgain();
  }
}
