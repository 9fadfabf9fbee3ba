// `fsmon query`: what happened in a time range, out of a log directory or out of any files. A request goes in, lines in time
// order go to a sink; nothing else does. Needs no daemon and no config, and never writes to a log.
import { constants } from "node:fs";
import { resolve } from "node:path";
import { causeOf, EXIT, Failure } from "../failure.ts";
import type { Identity } from "../kernel/identity.ts";
import { listLogs, type Packing } from "../log/names.ts";
import { readRange } from "../log/tail.ts";
import { runsInAnyOrder } from "./any-order.ts";
import { BlockPool } from "./block-pool.ts";
import { chooseLogs } from "./choose.ts";
import type { ByteInput } from "./input.ts";
import { mergeRuns } from "./merge.ts";
import { heldFilesMax, NamedFile } from "./named-file.ts";
import { readOddLine } from "./odd-line.ts";
import { type ByteSink, LineOutput } from "./output.ts";
import { PackedInput, packingOf } from "./packed.ts";
import { Progress, type ProgressListener } from "./progress.ts";
import { forgottenPaths } from "./recorded-paths.ts";
import type { LineRun, RunOptions } from "./run.ts";
import { takeSnapshot } from "./snapshot.ts";
import { runsOfFiles } from "./sorted-files.ts";
import { type Stored, spoolInput, spoolStream, storedFile } from "./spool.ts";
import { PathFilter, type TimeRange } from "./wanted.ts";

export type { ByteSink } from "./output.ts";

export interface QueryRequest {
  logDir: string;
  /** Managed paths, or paths below one; none means all logs. As typed, relative ones allowed. */
  paths: readonly string[];
  /** null: from the beginning. */
  sinceMs: number | null;
  /** null: to the end. The moment itself is out of the range. */
  untilMs: number | null;
  /** Read these instead of the log directory, in any order of their lines; "-" is standard input. */
  files: readonly string[] | null;
  /** The store's paths; an empty list when there is no store. */
  managedPaths: readonly string[];
  /** With whose rights the log directory is read; the caller's own when left out. */
  owner?: Identity;
}

export interface QueryResult {
  /** Complete lines that are no events, among those that had to be looked at. */
  linesSkipped: number;
  /** Files of which a part could not be read; each was noted. */
  filesFailed: number;
  /** 0, or 1 when something was skipped or could not be read. */
  exitCode: 0 | 1;
}

const NEWLINE = 10;
/** Beyond this neither read(2) nor write(2) gets faster. */
const COPY_BLOCK_BYTES = 256 * 1024;
const OWN_RIGHTS: Identity = { uid: 0, gid: 0, groups: [] };

/**
 * Prints what lies in the range.
 *
 * @param note a sentence for stderr
 * @param onProgress told a few times a second how much was read, once it has taken longer than a second
 * @throws {Failure} for a path without a log, and for a file that isn't there
 */
export async function runQuery(
  request: QueryRequest,
  sink: ByteSink,
  note: (text: string) => void,
  onProgress: ProgressListener = () => {},
): Promise<QueryResult> {
  const query = new Query(request, note, new Progress(onProgress));
  const output = new LineOutput(sink);
  try {
    const found = request.files === null ? query.logRuns() : await query.fileRuns(request.files);
    if (Array.isArray(found)) await mergeRuns(found, output);
    else await copyInput(found, sink);
  } finally {
    query.close();
  }
  return query.result();
}

class Query {
  private readonly request: QueryRequest;
  private readonly note: (text: string) => void;
  private readonly progress: Progress;
  private readonly range: TimeRange;
  private readonly toClose: (() => void)[] = [];
  private linesSkipped = 0;
  private filesFailed = 0;

  constructor(request: QueryRequest, note: (text: string) => void, progress: Progress) {
    this.progress = progress;
    this.request = request;
    this.note = note;
    this.range = {
      sinceMs: request.sinceMs ?? Number.NEGATIVE_INFINITY,
      untilMs: request.untilMs ?? Number.POSITIVE_INFINITY,
    };
  }

  /** The runs of the log directory. */
  logRuns(): LineRun[] {
    const { logDir, paths, managedPaths, owner = OWN_RIGHTS } = this.request;
    const hashes = new Set(listLogs(logDir, owner).keys());
    const forgotten = () => forgottenPaths(logDir, hashes, managedPaths, owner);
    if (hashes.size === 0 && paths.length === 0)
      this.note(`There are no logs in "${logDir}": nothing was recorded yet`);
    const choice = chooseLogs(paths, { hashes, managedPaths, forgottenPaths: forgotten });
    const snapshot = takeSnapshot(logDir, new Set(choice.keys()), owner);
    this.toClose.push(() => snapshot.close());
    for (const problem of snapshot.problems) this.fail(problem);
    const pool = new BlockPool();
    pool.expect(choice.size);
    const filters = new Map<string, PathFilter | null>();
    for (const [hash, wanted] of choice) filters.set(hash, wanted === null ? null : new PathFilter(wanted));
    return runsOfFiles(snapshot.files, (file) =>
      this.options(pool, filters.get(file.hash) ?? null, file.path),
    );
  }

  /** The runs of files from anywhere, or the answer itself where it stands there in one piece. */
  async fileRuns(files: readonly string[]): Promise<LineRun[] | ByteInput> {
    const { paths } = this.request;
    const filter = paths.length === 0 ? null : new PathFilter(paths.map((path) => resolve(path)));
    const runs: LineRun[] = [];
    const pool = new BlockPool();
    const held = heldFilesMax(files.length);
    for (const [i, name] of files.entries()) {
      const stored = await this.store(name, i < held);
      this.toClose.push(() => stored.close());
      const found = await runsInAnyOrder(stored, i, this.options(pool, filter, name));
      this.toClose.push(found.close);
      // The usual case, one log in order, needs no second look at its lines.
      if (files.length === 1 && found.verbatim !== null) return found.verbatim();
      runs.push(...found.runs);
    }
    pool.expect(runs.length);
    return runs;
  }

  result(): QueryResult {
    const { sinceMs, untilMs } = this.range;
    if (this.linesSkipped > 0) {
      const where = Number.isFinite(sinceMs) || Number.isFinite(untilMs) ? " in this range" : "";
      const lines = this.linesSkipped === 1 ? "line that is no event" : "lines that are no events";
      this.note(`Skipped ${this.linesSkipped} ${lines}${where}`);
    }
    const fine = this.linesSkipped === 0 && this.filesFailed === 0;
    return {
      linesSkipped: this.linesSkipped,
      filesFailed: this.filesFailed,
      exitCode: fine ? EXIT.fine : EXIT.failed,
    };
  }

  close(): void {
    for (const close of this.toClose.splice(0)) close();
  }

  private options(pool: BlockPool, paths: PathFilter | null, name: string): RunOptions {
    return {
      range: this.range,
      paths,
      pool,
      progress: this.progress,
      onBadLine: () => this.linesSkipped++,
      onUnreadable: (error) => this.fail(`Cannot read all of "${name}" (${causeOf(error)})`),
    };
  }

  private fail(problem: string): void {
    this.filesFailed++;
    this.note(problem);
  }

  private async store(name: string, hold: boolean): Promise<Stored> {
    if (name === "-") return this.streamed(0, name, "standard input");
    const file = openAny(name);
    const fd = file.fd()!;
    if (!file.stat.isFile()) {
      const stored = this.streamed(fd, name, JSON.stringify(name));
      return stored.finally(() => file.close());
    }
    const packing = packingOf(readRange(fd, 0, 4));
    if (packing !== null) return this.unpacked(fd, packing, name, file);
    if (!hold) file.letGo();
    return storedFile(file);
  }

  private async streamed(fd: number, name: string, called: string): Promise<Stored> {
    const spool = spoolStream(fd, called, (bytes) => this.progress.read(bytes));
    this.progress.expect(spool.sizeBytes);
    const packing = packingOf(spool.head(4));
    return packing === null ? spool : this.unpacked(spool.file(), packing, name, spool);
  }

  private async unpacked(
    fd: number,
    packing: Packing,
    name: string,
    packed: { close(): void },
  ): Promise<Stored> {
    try {
      const onRead = (bytes: number) => this.progress.read(bytes);
      const plain = await spoolInput(new PackedInput(fd, packing, () => {}), onRead, (error) => {
        this.fail(`"${name}" is damaged: only its beginning was read (${causeOf(error)})`);
      });
      this.progress.expect(plain.sizeBytes);
      return plain;
    } finally {
      packed.close();
    }
  }
}

/** Whole lines; the last may lack its newline and gets it, unless the file was cut there since it was looked at. */
async function copyInput(input: ByteInput, sink: ByteSink): Promise<void> {
  const block = Buffer.allocUnsafeSlow(COPY_BLOCK_BYTES);
  const unfinished: Uint8Array[] = [];
  try {
    for (let got = await input.read(block, 0); got > 0; got = await input.read(block, 0)) {
      const whole = block.subarray(0, got).lastIndexOf(NEWLINE) + 1;
      if (whole > 0) {
        for (const part of unfinished.splice(0)) if (!sink.write(part)) return;
        if (!sink.write(block.subarray(0, whole))) return;
      }
      if (whole < got) unfinished.push(Uint8Array.from(block.subarray(whole, got)));
    }
    const last = Buffer.concat(unfinished);
    if (readOddLine(last, 0, last.length).kind !== "event") return;
    if (sink.write(last)) sink.write(Uint8Array.of(NEWLINE));
  } finally {
    input.close();
  }
}

function openAny(name: string): NamedFile {
  let file: NamedFile;
  try {
    file = new NamedFile(name, { who: OWN_RIGHTS, flags: constants.O_RDONLY, mayGo: false });
    // Reading shows what opening doesn't: EIO, EISDIR on odd filesystems.
    if (file.stat.isFile()) readRange(file.fd()!, 0, 1);
  } catch (error) {
    throw new Failure(`Cannot read "${name}": ${causeOf(error)}`, "check the name and your rights: ls -l");
  }
  if (!file.stat.isDirectory()) return file;
  file.close();
  throw new Failure(`Cannot read "${name}": it is a directory`, "name its files: fsmon query --file *.jsonl");
}
