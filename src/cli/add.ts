// `fsmon add`: filters and path checked here, then handed to the running daemon, which stores and watches them at once;
// without a daemon the store is changed here.
import { dirname } from "node:path";
import { askDaemon } from "../control/client.ts";
import type { AddReply } from "../control/protocol.ts";
import type { ManagedPath } from "../event.ts";
import { EXIT, type ExitCode, Failure } from "../failure.ts";
import { parseFilterFlags } from "../filter/flags.ts";
import { resolveManagedPath } from "../managed/path.ts";
import { updateStore } from "../managed/store.ts";
import { type Context, loadContext } from "./context.ts";
import { tellDifferences } from "./differences.ts";
import type { ParsedArguments } from "./parse.ts";
import { remark } from "./report.ts";
import { unanswered } from "./unanswered.ts";
import { unwatchableFilesystem } from "./unwatchable.ts";
import { workingDirectory } from "./working-directory.ts";

export async function run(args: ParsedArguments): Promise<ExitCode> {
  const typed = args.positionals[0] ?? "";
  const filters = parseFilterFlags({
    recursive: args.has("recursive"),
    types: args.all("types"),
    allEvents: args.has("all-events"),
    exclude: args.all("exclude"),
    minSize: args.last("min-size"),
    excludeCmd: args.all("exclude-cmd"),
    onlyCmd: args.all("only-cmd"),
    details: args.has("details"),
    args: args.has("args"),
  });
  const { path, changedBy } = resolveManagedPath(typed, workingDirectory(typed), "manage");
  const entry: ManagedPath = { path, ...filters };
  const context = loadContext(args);
  if (changedBy === "symlink")
    remark(`"${typed}" leads through a symbolic link: "${path}" is what will be watched`);

  const answer = await askDaemon(context.config.socketPath, { command: "add", entry });
  if (answer.running) return tellAdded(answer.reply, context);
  const replaced = store(entry, context);
  // A daemon that started between the question and the store has read the store without this entry.
  const late = await askDaemon(context.config.socketPath, { command: "add", entry });
  if (late.running) return tellAdded(late.reply, context);
  remark(`${replaced ? "Replaced the filters of" : "Added"} "${path}"`);
  remark(unanswered(context, late.obstacle, "it takes effect at the next start (sudo fsmon daemon)"));
  return EXIT.fine;
}

function store(entry: ManagedPath, { config, owner }: Context): boolean {
  const filesystem = unwatchableFilesystem(entry.path);
  if (filesystem !== null) {
    throw new Failure(
      `Cannot watch "${entry.path}": the kernel reports no events on ${filesystem}`,
      "name a path on a disk or a tmpfs",
    );
  }
  let replaced = false;
  updateStore(config.managedFile, owner, (paths) => {
    replaced = paths.some(({ path }) => path === entry.path);
    return replaced ? paths.map((one) => (one.path === entry.path ? entry : one)) : [...paths, entry];
  });
  return replaced;
}

function tellAdded(reply: AddReply, context: Context): ExitCode {
  const what = reply.replaced ? "Replaced the filters of" : "Added";
  switch (reply.state) {
    case "watched":
      remark(`${what} "${reply.path}": it is being watched now`);
      break;
    case "pending":
      remark(`${what} "${reply.path}": it will be watched from the moment it appears`);
      break;
    case "impossible":
      throw new Failure(`Cannot watch "${reply.path}": ${reply.reason ?? "the daemon gave no reason"}`);
  }
  for (const note of reply.notes) remark(note);
  tellDifferences({ managedFile: reply.managedFile, logDir: dirname(reply.logFile) }, context);
  return EXIT.fine;
}
