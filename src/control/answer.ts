// From a request's text to a reply's bytes: decode, let the daemon do it, encode. Never throws, whatever the text or the
// daemon does; changing commands run one after the other.

import { EXIT, type ExitCode, Failure, UsageFailure } from "../failure.ts";
import { judgeHealth } from "./health.ts";
import { type ControlHandler, type FailureClass, REPLY_SIZE_MAX_BYTES, type Request } from "./protocol.ts";
import { encodeFailure, encodeReply } from "./reply.ts";
import { decodeRequest } from "./request.ts";
import { explain } from "./toml.ts";

/** A message repeats what the client sent; more of it than this helps nobody. */
const SENTENCE_LENGTH_MAX = 2_000;

/** Answers one request's text with one reply's bytes. */
export type Answerer = (text: string) => Promise<Uint8Array>;

/** @param onInternalError told of everything thrown that isn't a Failure */
export function answerer(handler: ControlHandler, onInternalError?: (error: unknown) => void): Answerer {
  // Ends when the last changing request has ended: adds and removes of one path must not overtake each other.
  let changes: Promise<unknown> = Promise.resolve();

  const inTurn = (request: Request): Promise<Uint8Array> => {
    if (!isChange(request)) return run(request, handler);
    const mine = changes.then(() => run(request, handler));
    changes = mine.catch(() => undefined);
    return mine;
  };

  return async (text) => {
    let request: Request;
    try {
      request = decodeRequest(text);
    } catch (error) {
      return failureText("request", error);
    }
    try {
      const reply = await inTurn(request);
      if (reply.length > REPLY_SIZE_MAX_BYTES) throw new Error(`The reply has ${reply.length} bytes`);
      return reply;
    } catch (error) {
      return failed(error, onInternalError);
    }
  };
}

function failed(error: unknown, onInternalError?: (error: unknown) => void): Uint8Array {
  if (error instanceof UsageFailure) return failureText("request", error);
  if (error instanceof Failure) return failureText("impossible", error);
  onInternalError?.(error);
  const detail = error instanceof Error ? error.message : String(error);
  return failureText("internal", `Internal error of the daemon: ${detail}`);
}

async function run(request: Request, handler: ControlHandler): Promise<Uint8Array> {
  switch (request.command) {
    case "add":
      return encodeReply("add", await handler.add(request.entry));
    case "remove":
      return encodeReply("remove", await handler.remove(request.path));
    case "status":
      return encodeReply("status", await handler.status());
    case "health":
      return encodeReply("health", judgeHealth(await handler.status()));
    case "seal":
      return encodeReply("seal", { sealed: await handler.seal(request.hash) });
    case "reload":
      await handler.reload();
      return encodeReply("reload", {});
  }
}

function isChange(request: Request): boolean {
  return request.command !== "status" && request.command !== "health";
}

/** A failure as reply bytes; `problem` is a sentence, or what was thrown. */
export function failureText(
  failureClass: FailureClass,
  problem: unknown,
  hint: string | null = null,
  retry = false,
): Uint8Array {
  const said = typeof problem === "string" ? { message: problem, hint } : sentences(problem);
  const exitCode: ExitCode = problem instanceof Failure ? problem.exitCode : exitCodeOf(failureClass);
  return encodeFailure({
    class: failureClass,
    message: said.message.slice(0, SENTENCE_LENGTH_MAX),
    hint: said.hint?.slice(0, SENTENCE_LENGTH_MAX) ?? null,
    exitCode,
    retry,
  });
}

function sentences(problem: unknown): { message: string; hint: string | null } {
  return problem instanceof Failure ? problem : explain(problem);
}

function exitCodeOf(failureClass: FailureClass): ExitCode {
  return failureClass === "request" ? EXIT.usage : EXIT.failed;
}
