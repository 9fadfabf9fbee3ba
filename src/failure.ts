// What a person is told when something can't be done: what was tried with the value quoted, and what to do
// about it. Thrown by any folder, printed only by the command line (and sent over the control socket).

/** 0 fine, 1 failed, 2 wrong usage: the whole contract of fsmon's exit codes. */
export const EXIT = { fine: 0, failed: 1, usage: 2 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export class Failure extends Error {
  /** A thing to type or a setting to change; null when there is nothing sensible to add. */
  readonly hint: string | null;
  readonly exitCode: ExitCode;

  constructor(message: string, hint: string | null = null, exitCode: ExitCode = EXIT.failed) {
    super(message);
    this.name = "Failure";
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

/** A mistake in what the person typed: exit code 2. */
export class UsageFailure extends Failure {
  constructor(message: string, hint: string | null = null) {
    super(message, hint, EXIT.usage);
    this.name = "UsageFailure";
  }
}

/** What an error that was passed on goes back to. */
export function rootCause(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootCause(error.cause) : error;
}

/** "ENOSPC" …; "" for what is no system error. */
export function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** The runtime has no words for it. */
const QUOTA = "disk quota exceeded";

/** Why something failed, for a person: a Failure's sentence, or the system's words: "no space left on device (ENOSPC)". */
export function causeOf(passedOn: unknown): string {
  const error = rootCause(passedOn);
  const code = errorCode(error);
  if (error instanceof Failure || code === "") return error instanceof Error ? error.message : String(error);
  return systemWords(code);
}

/** "no space left on device (ENOSPC)" for "ENOSPC". */
export function systemWords(code: string): string {
  // Loaded only here: importing it takes milliseconds of every command's start, and memory of the daemon.
  const { getSystemErrorMap } = process.getBuiltinModule("node:util");
  const [, known] = [...getSystemErrorMap().values()].find(([name]) => name === code) ?? [];
  const words = code === "EDQUOT" ? QUOTA : known;
  return words === undefined ? code : `${words} (${code})`;
}
