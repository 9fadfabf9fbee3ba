// The error of a batch that could not be written as a whole, and how much of it was.

/** Some of a batch could not be written. The file ends with a whole line (or will, before the next write). */
export class PutFailed extends Error {
  /** Of the batch, in the file: whole lines. */
  readonly writtenBytes: number;
  override readonly cause: unknown;

  constructor(writtenBytes: number, cause: unknown) {
    super("the lines could not all be written");
    this.name = "PutFailed";
    this.writtenBytes = writtenBytes;
    this.cause = cause;
  }
}

/** What fails on the way to writing a batch says nothing about how much of the batch itself was written. */
export function passingOn(writtenBytes: number, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw new PutFailed(writtenBytes, error instanceof PutFailed ? error.cause : error);
  }
}
