// How far a long query has come. Bytes that were read go in; now and then a listener is told.

/** `totalBytes` is null while it isn't known (a pipe, something packed). */
export type ProgressListener = (readBytes: number, totalBytes: number | null) => void;

/** Nobody wonders about a query that is done sooner. */
const SILENT_MS = 1000;
const INTERVAL_MS = 200;

export class Progress {
  private readonly listener: ProgressListener;
  private nextMs = performance.now() + SILENT_MS;
  private readBytes = 0;
  private totalBytes = 0;

  constructor(listener: ProgressListener) {
    this.listener = listener;
  }

  expect(bytes: number): void {
    this.totalBytes += bytes;
  }

  /** Called once a block. */
  read(bytes: number): void {
    this.readBytes += bytes;
    const nowMs = performance.now();
    if (nowMs < this.nextMs) return;
    this.nextMs = nowMs + INTERVAL_MS;
    this.listener(this.readBytes, this.totalBytes >= this.readBytes ? this.totalBytes : null);
  }
}
