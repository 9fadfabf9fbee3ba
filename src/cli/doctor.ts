// `fsmon doctor [PATH]`: what can be recorded here, what can't, and what to do about it.
import { lstatSync } from "node:fs";
import { dirname } from "node:path";
import { examine } from "../doctor/examine.ts";
import type { Finding, Level } from "../doctor/finding.ts";
import type { ManagedPath } from "../event.ts";
import { causeOf, EXIT, type ExitCode, errorCode, Failure } from "../failure.ts";
import { asOwner } from "../kernel/identity.ts";
import { stringifySafely } from "../log/json-text.ts";
import { resolveManagedPath } from "../managed/path.ts";
import { loadStore } from "../managed/store.ts";
import { type Colours, coloursFor } from "../show/colour.ts";
import { escapeForTerminal } from "../show/escape.ts";
import { padRight } from "../show/width.ts";
import { type Context, loadContext } from "./context.ts";
import { tellDifferences } from "./differences.ts";
import { findDaemon } from "./find-daemon.ts";
import { writeOut } from "./output.ts";
import type { ParsedArguments } from "./parse.ts";
import { workingDirectory } from "./working-directory.ts";

const MARKS: Readonly<Record<Level, string>> = { fine: "ok", limit: "mind", broken: "NO", unseen: "?" };
const SUBJECT_COLUMNS = 12;
const MARK_COLUMNS = 6;

export async function run(args: ParsedArguments): Promise<ExitCode> {
  const context = loadContext(args);
  const typed = args.positionals[0];
  const directory = typed === undefined ? null : directoryAt(typed);
  const daemon = await findDaemon(context);
  const managed =
    daemon.kind === "answers"
      ? daemon.status.paths
      : loadStore(context.config.managedFile, context.owner).paths;
  const places = directory === null ? directoriesOf(managed, context) : [directory];
  if (daemon.kind === "answers") tellDifferences(daemon.status, context);
  const { config, owner } = context;
  const findings = await examine({ config, owner, daemon, directory, places });
  if (args.has("json")) writeOut(findings.map((one) => `${stringifySafely(one)}\n`).join(""));
  else writeOut(textOf(findings, await coloursFor(1, args.has("no-color"))));
  return findings.some(({ level }) => level === "broken") ? EXIT.failed : EXIT.fine;
}

/** A file's directory is where its events come from. */
function directoryAt(typed: string): string {
  const { path } = resolveManagedPath(typed, workingDirectory(typed), "look at");
  try {
    return lstatSync(path).isDirectory() ? path : dirname(path);
  } catch (error) {
    const code = errorCode(error);
    if (code !== "ENOENT" && code !== "ENOTDIR")
      throw new Failure(`Cannot look at "${path}": ${causeOf(error)}`);
    throw new Failure(`Cannot look at "${path}": it does not exist`, "name a directory that does");
  }
}

/** Of the managed paths that are there, each once. */
function directoriesOf(managed: readonly ManagedPath[], { owner }: Context): string[] {
  const directories = managed.flatMap(({ path }) => {
    try {
      return asOwner(owner, () => lstatSync(path)).isDirectory() ? path : dirname(path);
    } catch {
      return [];
    }
  });
  return [...new Set(directories)];
}

function textOf(findings: readonly Finding[], colours: Colours): string {
  const paint = { fine: colours.green, limit: colours.yellow, broken: colours.red, unseen: colours.dim };
  let before = "";
  let text = "";
  for (const { subject, level, text: sentence, remedy } of findings) {
    const label = subject === before ? "" : subject;
    before = subject;
    const mark = paint[level](padRight(MARKS[level], MARK_COLUMNS));
    text += `${padRight(label, SUBJECT_COLUMNS)}${mark}${escapeForTerminal(sentence)}\n`;
    if (remedy !== null)
      text += `${" ".repeat(SUBJECT_COLUMNS + MARK_COLUMNS)}${colours.dim("->")} ${escapeForTerminal(remedy)}\n`;
  }
  return text;
}
