// A log directory with lines of one's own choice, and a query of it in this process.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { liveName, logHash, segmentName } from "../../src/log/names.ts";
import { formatTime } from "../../src/log/time.ts";
import { type QueryRequest, type QueryResult, runQuery } from "../../src/query/query.ts";

export const T0 = Date.UTC(2026, 4, 7, 10);

export class Logs {
  readonly path = mkdtempSync(join(tmpdir(), "fsmon-query-"));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  live(managedPath: string, ...lines: string[]): string {
    return this.file(liveName(logHash(managedPath)), lines.map((line) => `${line}\n`).join(""));
  }

  segment(managedPath: string, number: number, ...lines: string[]): string {
    return this.file(segmentName(logHash(managedPath), number), lines.map((line) => `${line}\n`).join(""));
  }

  file(name: string, text: string): string {
    const path = join(this.path, name);
    writeFileSync(path, text);
    return path;
  }

  async ask(
    request: Partial<QueryRequest> = {},
  ): Promise<QueryResult & { text: string; lines: string[]; notes: string[] }> {
    const parts: Buffer[] = [];
    const notes: string[] = [];
    const sink = { write: (bytes: Uint8Array) => parts.push(Buffer.from(bytes)) > 0 };
    const all = {
      logDir: this.path,
      paths: [],
      sinceMs: null,
      untilMs: null,
      files: null,
      managedPaths: [],
      ...request,
    };
    const result = await runQuery(all, sink, (note) => notes.push(note));
    const text = Buffer.concat(parts).toString();
    return { ...result, text, lines: text.split("\n").slice(0, -1), notes };
  }
}

export const event = (ms: number, path: string, more: object = {}) =>
  JSON.stringify({
    time: formatTime(T0 + ms),
    event_type: "CREATE",
    path,
    pid: 1,
    cmd: "sh",
    user: "root",
    file_size: 0,
    monitored_path: `/${path.split("/")[1]}`,
    ...more,
  });
export const gap = (ms: number, from: number, to: number, more: object = {}) =>
  event(ms, "/m", {
    event_type: "GAP",
    reason: "daemon_stopped",
    gap_from: formatTime(T0 + from),
    gap_to: formatTime(T0 + to),
    ...more,
  });
export const watch = (ms: number, state: string, more: object = {}) =>
  event(ms, "/m", { event_type: "WATCH", state, ...more });
