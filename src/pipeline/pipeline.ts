// The order of the stages, known here and nowhere else:
//   read fanotify → drain the process streams → resolve places → attribute → filter → write.
// fanotify is read first and the process streams second: a program's exec record is written before its first instruction
// runs, so in this order the record of every pid in a batch is there (80,000 of 80,000). The other way round would not be safe.
import { describeEvents } from "../decode/describe.ts";
import type { GapReason, ManagedPath } from "../event.ts";
import { monotonicNs } from "../kernel/monotonic.ts";
import { EPOLLIN, EPOLLPRI, Waiter } from "../kernel/waiter.ts";
import { LogClock } from "../log/clock.ts";
import type { Gap } from "../log/state.ts";
import type { LogWriter } from "../log/writer.ts";
import type { Source } from "../process/way.ts";
import { EventQueues } from "../resolve/filesystems/event-queues.ts";
import { Occurrences } from "../resolve/occurrence.ts";
import { ReadAhead } from "../resolve/read-ahead.ts";
import { Resolver } from "../resolve/resolver.ts";
import { Awake } from "./awake.ts";
import { LineMaker } from "./lines.ts";
import { MountChanges } from "./mount-changes.ts";
import { Pace } from "./pace.ts";
import { Processes } from "./processes.ts";
import { Reading } from "./reading.ts";
import type { Loss } from "./rescanning.ts";
import type { WatchedPath } from "./watched-path.ts";
import { Watching } from "./watching.ts";

/** Batches before the event loop gets a turn: control requests and signals must not wait for a storm's end. */
const BATCHES_PER_TURN = 32;

export interface PipelineOptions {
  queueEvents: number;
  /** Ways to identify processes that may be used. */
  sources: ReadonlySet<Source>;
  logDir: string;
  /** Whether the daemon itself writes a file. */
  isOurs: (directory: string, name: string) => boolean;
  /** Gets a line for each raw event; null unless asked for. */
  debug: ((line: string) => void) | null;
  /** A fault that must end the daemon. */
  onFault: (error: unknown) => void;
}

export class Pipeline {
  readonly queues: EventQueues;
  readonly processes: Processes;
  readonly watching: Watching;
  /** GAP lines written, by reason, and when the last one of each was. */
  readonly gaps: Partial<Record<GapReason, number>> = {};
  readonly gapsLastMs: Partial<Record<GapReason, number>> = {};
  eventsRead = 0;
  eventsLogged = 0;
  queueDepthMax = 0;
  /** The last turn ended before the queue was empty. */
  private isBehind = false;

  private readonly clock = new LogClock();
  private readonly resolver: Resolver;
  private readonly lines: LineMaker;
  private readonly ahead: ReadAhead;
  private readonly occurrences = new Occurrences();
  private readonly pace = new Pace();
  private readonly waiter: Waiter;
  /** When the queue was last seen empty: everything before is complete. */
  private emptiedMs = Date.now();
  /** The same on the process records' clock. */
  private emptiedNs = monotonicNs();
  private readonly reading: Reading;
  private readonly awake = new Awake(Date.now());
  private readonly mountChanges: MountChanges;
  /** Ends the waiting for the next turn; null while none is waited for. */
  private cancelTurn: (() => void) | null = null;
  private stopped = false;

  constructor(private readonly options: PipelineOptions) {
    this.queues = new EventQueues(options.queueEvents);
    this.processes = new Processes(options.sources);
    this.ahead = new ReadAhead(this.queues);
    const watching = new Watching(
      this.queues,
      () => this.tellFound(),
      (fs, parent, name) => this.resolver.learner.childAt(fs, parent, name),
    );
    this.watching = watching;
    this.mountChanges = new MountChanges(watching, this);
    this.resolver = new Resolver(watching.filesystems, watching, process.pid, this.ahead);
    this.reading = new Reading(this.ahead, this.processes, () => {
      watching.filesystems.uncover();
      if (options.debug !== null) describeEvents(this.ahead.batch, options.debug);
    });
    this.lines = new LineMaker(
      (watch) => watching.byWatch(watch),
      this.processes.attribution,
      options.logDir,
      options.isOurs,
      (fs, work, otherwise) => watching.filesystems.withMount(fs, work, otherwise),
    );
    this.waiter = new Waiter((fd) => {
      this.awake.woke(Date.now());
      this.guarded(() => {
        this.processes.followCpus(this.waiter, fd);
        this.turn();
      });
    });
    this.waiter.add(this.queues.shared.fd, EPOLLIN);
    this.queues.onOpen = (fd) => this.waiter.add(fd, EPOLLIN);
    this.waiter.add(watching.mounts.fd, EPOLLPRI);
    this.processes.waitBy(this.waiter);
  }

  /** Until when everything that happened is in the logs, as far as is known. */
  get completeUntilMs(): number {
    return this.emptiedMs;
  }

  /**
   * Once a second: where nothing waits to be read, everything up to now is in the logs. Without it, an hour of silence before a
   * loss would count as lost.
   */
  tick(): void {
    this.awake.beat(Date.now());
    if (!this.stopped && this.watching.answersAgain(() => this.now())) this.schedule(0);
    if (!this.stopped && this.processes.followCpus(this.waiter)) this.schedule(0);
    if (this.stopped || this.cancelTurn !== null || this.ahead.pendingEvents() > 0) return;
    if (this.watching.mounts.hasChanged()) return;
    const beforeNs = monotonicNs();
    // Asked once more: what came between the two looks may be older than the clock's reading.
    if (this.ahead.pendingEvents() > 0) return;
    this.emptiedMs = this.now();
    this.emptiedNs = beforeNs;
  }

  /** Begins to serve events. */
  start(): void {
    this.schedule(0);
  }

  /**
   * Puts a path under watch, or gives it other filters: the very next operation below it is recorded by them.
   */
  add(managed: ManagedPath, openLog: () => LogWriter): WatchedPath {
    // What happened before belongs to the old filters.
    this.drain();
    this.mountChanges.look(this.awake.look(Date.now()));
    const watched = this.watching.put(managed, openLog);
    this.resolver.takeBack();
    this.watching.filesystems.release();
    this.schedule(0);
    return watched;
  }

  /** A log has a gap before this moment: what can be found out about it is read from the disk, and told as found. */
  rescan(watched: WatchedPath, loss: Loss): void {
    this.watching.rescanning.begin(watched, loss);
    this.schedule(0);
  }

  /** Takes a path out: what happened until now is still written, the very next operation is not. */
  remove(path: string): WatchedPath | null {
    const watched = this.watching.paths.get(path);
    if (watched === undefined) return null;
    this.drain();
    this.watching.remove(watched);
    this.watching.filesystems.release();
    return watched;
  }

  /** Takes out a path that was put in a moment ago, as if it had never been: what was queued since then isn't written. */
  takeBack(watched: WatchedPath): void {
    this.watching.remove(watched);
    this.watching.filesystems.release();
  }

  /** The time of what is written now, never going back; a clock that was set shows in every log. */
  now(): number {
    const { timeMs, jump } = this.clock.now();
    if (jump !== null) this.gapEverywhere("clock", jump.fromMs, 0, timeMs);
    return timeMs;
  }

  /** Writes a GAP into every log: something may be missing between fromMs and now. */
  gapEverywhere(reason: GapReason, fromMs: number, lost: number | null, timeMs = this.now()): void {
    for (const watched of this.watching.paths.values()) {
      this.gap(watched, { reason, fromMs, toMs: timeMs, lost }, timeMs);
    }
  }

  /** Writes a GAP into one log. */
  gap(watched: WatchedPath, gap: Gap, timeMs: number): void {
    watched.log.gap(gap, timeMs);
  }

  /** Logs tell this of every GAP line, those of their own making (a full disk) included. */
  countGap(reason: GapReason, timeMs: number): void {
    this.gaps[reason] = (this.gaps[reason] ?? 0) + 1;
    this.gapsLastMs[reason] = timeMs;
  }

  get eventsFiltered(): number {
    return this.lines.filtered;
  }

  /** Events that a process was looked for, and those of them that none was found for. */
  get attribution(): { asked: number; unattributed: number } {
    return this.processes.attribution;
  }

  /** Everything the kernel has queued by now is written when this returns. */
  drain(): void {
    while (!this.mountChanges.isDone) this.mountChanges.step();
    while (!this.watching.isSurveyed) this.watching.survey();
    // Bounded by what is there as it begins: a storm that never ends must not hold up whoever waits for this.
    let left = this.ahead.pendingEvents();
    do {
      const { events, emptied } = this.round();
      while (!this.watching.isSurveyed) this.watching.survey();
      left -= events;
      if (emptied) left = 0;
    } while (left > 0);
    // What the end of the last batch left to the next because its directory wasn't known is of before, too.
    this.round();
  }

  stop(): void {
    this.stopped = true;
    this.cancelTurn?.();
    this.drain();
    this.waiter.close();
    this.processes.close();
    this.queues.close();
    this.watching.mounts.close();
  }

  private schedule(delayMs: number): void {
    if (this.stopped || this.cancelTurn !== null) return;
    const timer = setTimeout(() => this.guarded(() => this.turn()), delayMs);
    this.cancelTurn = () => clearTimeout(timer);
  }

  /** The next turn comes as soon as the event loop has looked at everything else: a timer of 0 takes a millisecond. */
  private goOn(): void {
    if (this.stopped || this.cancelTurn !== null) return;
    const immediate = setImmediate(() => this.guarded(() => this.turn()));
    this.cancelTurn = () => clearImmediate(immediate);
  }

  private guarded(work: () => void): void {
    if (this.stopped) return;
    try {
      work();
    } catch (error) {
      this.options.onFault(error);
    }
  }

  private turn(): void {
    this.cancelTurn?.();
    this.cancelTurn = null;
    if (!this.mountChanges.isDone) {
      this.mountChanges.step();
      this.pauseTurn();
      return;
    }
    if (!this.watching.isSurveyed) {
      this.watching.survey();
      this.pauseTurn();
      return;
    }
    let events = 0;
    let emptied = false;
    for (let i = 0; i < BATCHES_PER_TURN && !emptied && this.watching.isSurveyed; i++) {
      if (this.reading.waits(this.emptiedNs)) {
        this.schedule(Reading.againMs);
        return;
      }
      const round = this.round();
      events += round.events;
      emptied = round.emptied;
    }
    // To count them the kernel walks its queue, under the lock that all need who cause events: it is asked once a backlog.
    const behind = emptied || this.isBehind ? 0 : this.ahead.pendingEvents();
    this.isBehind = !emptied;
    this.queueDepthMax = Math.max(this.queueDepthMax, events + behind);
    if (emptied) {
      this.processes.caughtUp();
      this.processes.attribution.refresh();
      this.mountChanges.look(this.awake.look(Date.now()));
    }
    if (!this.mountChanges.isDone || !this.watching.isSurveyed) {
      this.pauseTurn();
      return;
    }
    const working = this.watching.workOnTrees(this.resolver.learner);
    this.resolver.takeBack();
    this.tellFound();
    this.watching.filesystems.release();
    const delayMs = this.pace.next(events, emptied && !this.ahead.isAhead);
    if (working) this.goOn();
    else if (delayMs === null) this.waiter.arm();
    else this.schedule(delayMs);
  }

  private pauseTurn(): void {
    this.watching.filesystems.release();
    this.goOn();
  }

  /** One batch through all the stages. After a loss the queue is read once more: what comes then is by those who are known again. */
  private round(): { events: number; emptied: boolean } {
    const { occurrences } = this;
    const { batch } = this.ahead;
    const { beforeNs, emptied, lost } = this.reading.take(this.emptiedNs);
    const timeMs = this.now();
    if (lost !== null) this.gapEverywhere("process_stream_lost", this.emptiedMs, lost.count, timeMs);
    occurrences.clear();
    this.resolver.resolve(batch, occurrences, emptied);
    if (emptied) this.resolver.caughtUp(occurrences);
    this.eventsRead += batch.count;
    this.eventsLogged += this.lines.make(occurrences, timeMs);
    this.lines.flush(timeMs);
    if (this.resolver.overflowed) this.eventsLost("queue_overflow", null, timeMs);
    const refused = this.resolver.limbo.takeRefused();
    if (refused > 0) this.eventsLost("internal", refused, timeMs);
    this.watching.attachMoved();
    this.resolver.takeBack();
    if (emptied) {
      this.watching.rescanning.caughtUp(this.emptiedMs, timeMs);
      this.watching.filesystems.caughtUp();
      this.emptiedMs = timeMs;
      this.emptiedNs = beforeNs;
    }
    return { events: batch.count, emptied: emptied && lost === null };
  }

  /** The kernel doesn't say which filesystem lost what, nor how much: every log is concerned. */
  private eventsLost(reason: GapReason, lost: number | null, timeMs: number): void {
    const fromMs = this.emptiedMs;
    this.gapEverywhere(reason, fromMs, lost, timeMs);
    this.watching.verify({ reason, fromMs, toMs: timeMs });
  }

  /** What reading directories showed goes the way of all lines. */
  private tellFound(): void {
    const { found } = this.watching.rescanning;
    if (found.count === 0) return;
    const timeMs = this.now();
    this.eventsLogged += this.lines.make(found, timeMs);
    this.lines.flush(timeMs);
    found.clear();
  }
}
