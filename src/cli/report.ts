// The last stop of every error: a sentence and a hint on stderr, and the exit code. Nothing else decides either.
import { EXIT, type ExitCode, errorCode, Failure } from "../failure.ts";
import { type Colours, NO_COLOURS } from "../show/colour.ts";
import { escapeForTerminal } from "../show/escape.ts";
import { StdoutClosed, say } from "./output.ts";

/** Says what went wrong; a closed pipe is success and says nothing. */
export function report(error: unknown, colours: Colours = NO_COLOURS): ExitCode {
  if (error instanceof StdoutClosed) return EXIT.fine;
  const { message, hint, exitCode } = error instanceof Failure ? error : explainUnexpected(error);
  say(`${colours.red("fsmon:")} ${escapeForTerminal(message)}`);
  if (hint !== null) say(`  ${colours.dim("hint:")} ${escapeForTerminal(hint)}`);
  if (isDebugging() && error instanceof Error) say(error.stack ?? String(error));
  return exitCode;
}

/** A remark about something that is not an error, and may matter to the person. */
export function remark(sentence: string): void {
  say(`fsmon: ${escapeForTerminal(sentence)}`);
}

function explainUnexpected(error: unknown): Failure {
  const detail = error instanceof Error ? error.message : String(error);
  // The system said no to something that nobody has foreseen: its own words name the call and the path.
  if (/^E[A-Z0-9]+$/.test(errorCode(error))) return new Failure(`The system refused: ${detail}`, null);
  const hint = isDebugging()
    ? "this is a fault of fsmon: please report it with the lines below"
    : "this is a fault of fsmon: please report it with what FSMON_DEBUG=1 adds to this message";
  return new Failure(`Internal error: ${detail}`, hint);
}

function isDebugging(): boolean {
  return process.env.FSMON_DEBUG === "1";
}
