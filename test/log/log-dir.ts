// A log directory for one test, a writer in it, and event lines with numbers that can be counted afterwards.
import { execSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { groupLogNames } from "../../src/log/names.ts";
import { formatTime } from "../../src/log/time.ts";
import { LogWriter } from "../../src/log/writer.ts";
import { parseLine } from "../support/schema.ts";
import { until as waitFor } from "../support/wait.ts";

export const OWNER = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, groups: [] };
export const ROOT = "/managed";

export class LogDir {
  readonly path: string;
  readonly trouble: string[] = [];
  #sequence = 0;

  /** Reasons of the GAP lines, as the writer counts them. */
  readonly gaps: string[] = [];

  constructor(path = mkdtempSync(join(tmpdir(), "fsmon-log-"))) {
    this.path = path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  writer(segmentSizeBytes = 64 * 1024 * 1024): LogWriter {
    return new LogWriter({
      logDir: this.path,
      managedPath: ROOT,
      owner: OWNER,
      segmentSizeBytes,
      describe: () => ({ filters: "-r", host: "host", version: "1" }),
      onTrouble: (message) => this.trouble.push(message),
      onGap: (reason) => this.gaps.push(reason),
    });
  }

  openWriter(segmentSizeBytes?: number): LogWriter {
    const writer = this.writer(segmentSizeBytes);
    writer.open();
    return writer;
  }

  /** Appends events with the next numbers. */
  put(writer: LogWriter, count: number, timeMs = Date.now()): void {
    let text = "";
    for (let i = 0; i < count; i++) text += `${numbered(this.#sequence++, timeMs)}\n`;
    const bytes = Buffer.from(text);
    writer.append(bytes, bytes.length, count, timeMs);
  }

  get written(): number {
    return this.#sequence;
  }

  /** All files of the log, oldest first, as `cat *_log.jsonl` gives them; a file that is sealed meanwhile is read once. */
  text(): string {
    for (let tries = 0; ; tries++) {
      if (tries > 200) throw new Error("the segments change faster than they can be read");
      const names = this.names();
      try {
        const texts = names.map((name) => readFileSync(join(this.path, name), "utf8"));
        if (names.join() === this.names().join()) return texts.join("");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      }
    }
  }

  /** The names of the log's files, oldest first. */
  names(): string[] {
    const [log] = groupLogNames(readdirSync(this.path)).values();
    return (log?.segments ?? []).map((segment) => segment.name);
  }

  sh(command: string): string {
    return execSync(command, { cwd: this.path, encoding: "utf8", shell: "/bin/sh" });
  }
}

export function numbered(number: number, timeMs: number): string {
  return `{"time":"${formatTime(timeMs)}","event_type":"CREATE","path":"${ROOT}/f${number}","pid":1,"cmd":"sh","user":"root","file_size":0,"monitored_path":"${ROOT}"}`;
}

export interface Line {
  time: string;
  event_type: string;
  path: string;
  [key: string]: unknown;
}

/**
 * Every line of a text, which must be whole lines as docs/event.schema.json has them, and nothing else.
 *
 * @param parse JSON.parse for lines that others have rewritten
 */
export function parsed(text: string, parse: (line: string) => unknown = parseLine): Line[] {
  if (text !== "" && !text.endsWith("\n")) throw new Error(`torn: ${JSON.stringify(text.slice(-100))}`);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => parse(line) as Line);
}

/** The numbers of the events in a text. */
export function numbersIn(text: string, parse?: (line: string) => unknown): number[] {
  return parsed(text, parse)
    .filter((line) => line.event_type === "CREATE")
    .map((line) => Number(line.path.slice(ROOT.length + 2)));
}

/** "3..17" for the numbers from 3 to 17; tells where they stop being consecutive otherwise. */
export function span(numbers: readonly number[]): string {
  const wrong = numbers.findIndex((number, i) => i > 0 && number !== numbers[i - 1]! + 1);
  if (wrong >= 0) return `${numbers[0]}..${numbers[wrong - 1]}, then ${numbers[wrong]}`;
  return `${numbers[0]}..${numbers.at(-1)}`;
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** Waits for a condition that speaks for itself. */
export async function until(condition: () => boolean): Promise<void> {
  await waitFor(String(condition), condition);
}
