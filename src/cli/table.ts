// Every command with its arguments, options and examples: the one table behind parsing, help, completions and man page.
// Text and names only; what a command does is in the file of its name. To add a command: an entry here, a file, a line in run.ts.
import { DEFAULT_TYPES } from "../event.ts";
import { SIZE_FORMS } from "../filter/units.ts";
import { SOURCES } from "../process/way.ts";
import type { CommandDefinition, OptionDefinition } from "./definition.ts";
import { CONFIG, FILTERS, LOG_DIR, MANAGED_FILE, SOCKET, TYPES, USER } from "./options.ts";
import { QUERY, WATCH, WHO } from "./viewing.ts";

/** Shells that there is a completion script for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** Understood by every command, before and after its name. */
export const GLOBAL_OPTIONS: readonly OptionDefinition[] = [
  { name: "help", short: "h", summary: "show this help" },
  { name: "version", short: "V", summary: "show the version" },
  { name: "no-color", summary: "no colours (so does the environment variable NO_COLOR)" },
];

export const COMMANDS: readonly CommandDefinition[] = [
  {
    name: "daemon",
    summary: "watch the managed paths, in the foreground, until SIGINT or SIGTERM",
    details: [
      "Needs root. Under sudo it works for the person who called it: their config, their paths, their logs, owned by them. SIGHUP makes it read config and store anew.",
    ],
    args: [],
    options: [
      { name: "user", value: "NAME", summary: "work for this user", default: "who called sudo, else root" },
      CONFIG,
      LOG_DIR,
      MANAGED_FILE,
      SOCKET,
      { name: "check-config", summary: "say what is in force and where each value comes from, then end" },
      {
        name: "identify",
        value: "WAY,…",
        summary: "ways to identify processes that may be used, for machines where one of them does harm",
        default: "all that the machine allows",
        accepted: SOURCES.join(", "),
        complete: SOURCES,
      },
      { name: "debug", summary: "print each raw event on stderr before anything is done with it" },
    ],
    examples: [
      { line: "sudo fsmon daemon", meaning: "record for yourself" },
      { line: "sudo fsmon daemon --user alice", meaning: "record for alice, as a service does" },
      { line: "fsmon daemon --check-config", meaning: "see the settings (needs no root)" },
    ],
  },
  {
    name: "add",
    summary: "put a path under management; a running daemon starts on it at once",
    details: [
      "The path may be a directory or a single file, and need not exist yet. Adding a path again replaces its filters. All filters must be passed by an event.",
      "An exclude glob without a slash is compared with every name below the path; one with a slash with the absolute path. What matches a directory covers everything below it.",
    ],
    args: [{ name: "PATH", summary: "directory or file to watch", complete: "file" }],
    options: [
      { name: "recursive", short: "r", summary: "the whole tree, subdirectories made later included" },
      { ...TYPES, default: DEFAULT_TYPES.join(", ") },
      { name: "all-events", summary: "all 14 event types" },
      ...FILTERS,
      {
        name: "details",
        summary: "add parent, ancestry, systemd unit and container of the process to each line",
      },
      {
        name: "args",
        summary:
          "add the process's command line to each line; passwords and tokens that are typed there end up in the log",
      },
      CONFIG,
      SOCKET,
    ],
    examples: [
      { line: "fsmon add -r /var/www", meaning: "record every change in a tree" },
      {
        line: "fsmon add -r /var/www --only-cmd nginx,vim -e '*.swp'",
        meaning: "by two programs, no swap files",
      },
      { line: "fsmon add /etc/passwd --all-events", meaning: "who reads or changes one file" },
    ],
  },
  {
    name: "remove",
    summary: "take a path out of management, at once; its log stays",
    details: [],
    args: [{ name: "PATH", summary: "a managed path", complete: "managed" }],
    options: [CONFIG, SOCKET],
    examples: [{ line: "fsmon remove /var/www", meaning: "stop recording the tree" }],
  },
  {
    name: "managed",
    summary: "list the managed paths with their filters, one line a path",
    details: ["Works without a running daemon; it then can't say what is being watched."],
    args: [],
    options: [
      { name: "json", summary: "one JSON object a path, for programs" },
      { name: "paths", summary: "the paths alone, one a line, for programs exactly as they are" },
      CONFIG,
      SOCKET,
    ],
    examples: [{ line: "fsmon managed", meaning: "what is being recorded" }],
  },
  QUERY,
  WHO,
  WATCH,
  {
    name: "clean",
    summary: "trim the logs by age and size",
    details: ["Safe while the daemon writes. The daemon also keeps to the config's limits by itself."],
    args: [],
    options: [
      {
        name: "path",
        short: "p",
        value: "PATH",
        repeatable: true,
        summary: "only this managed path",
        default: "every log",
        complete: "managed",
      },
      {
        name: "keep-days",
        value: "N",
        summary: "delete what is older",
        default: "[logging] keep_days of the config, 30",
        accepted: "a whole number of days",
      },
      {
        name: "max-size",
        value: "SIZE",
        summary: "delete the oldest events until a path's log is no larger",
        default: "[logging] max_size of the config, 1GB",
        accepted: SIZE_FORMS,
      },
      { name: "dry-run", short: "n", summary: "say what would go, change nothing" },
      CONFIG,
      LOG_DIR,
      SOCKET,
    ],
    examples: [{ line: "fsmon clean --keep-days 7 --dry-run", meaning: "what a week's limit would delete" }],
  },
  {
    name: "generate",
    summary: "write the default config with its comments",
    details: ["Never over an existing one without -f."],
    args: [],
    options: [{ name: "force", short: "f", summary: "replace an existing config" }, CONFIG],
    examples: [{ line: "fsmon generate", meaning: "write ~/.config/fsmon/config.toml" }],
  },
  {
    name: "health",
    summary: "tell whether everything is being recorded; exit code 1 when it isn't",
    details: [
      "Shows the daemon, each managed path and how it is watched, events and their rates, the kernel's queue, GAPs since its start, memory, the disk, and when keep_days or max_size will begin to delete.",
      "For node_exporter's textfile collector write the metrics to a file beside and rename it: the collector must never see half of it.",
    ],
    args: [],
    options: [
      { name: "json", summary: "one JSON object, for programs" },
      { name: "prometheus", summary: "metrics in Prometheus's text format" },
      USER,
      CONFIG,
      LOG_DIR,
      SOCKET,
    ],
    examples: [
      { line: "fsmon health", meaning: "see how it is going" },
      { line: "sudo fsmon health --user alice --json", meaning: "of the daemon that works for alice" },
      {
        line: "fsmon health --prometheus >fsmon.prom.new; mv fsmon.prom.new fsmon.prom",
        meaning: "metrics for node_exporter",
      },
    ],
  },
  {
    name: "doctor",
    summary: "tell what can be recorded here, what can't, and what to do about it",
    details: [
      "Looks at the kernel, the rights, the filesystem of PATH (else of every managed path), the ways to know processes, the limits that are near, and the disk of the logs. Changes no setting.",
      "With a PATH it makes a canary file there, removes it, and measures how long the running daemon takes to log it; as root also which types of event arrive. Without root it says what it can't see. Exit code 1: something is not, or would not be, recorded.",
    ],
    args: [{ name: "PATH", summary: "directory to look at", optional: true, complete: "directory" }],
    options: [
      { name: "json", summary: "one JSON object a finding, for programs" },
      USER,
      CONFIG,
      LOG_DIR,
      SOCKET,
    ],
    examples: [
      { line: "fsmon doctor", meaning: "look at this machine" },
      { line: "sudo fsmon doctor /srv/data", meaning: "try everything out in one directory" },
    ],
  },
  {
    name: "completions",
    summary: "print the completion script for a shell",
    details: [
      "Completes commands, options, their values, and the managed paths. The packages bring it along; elsewhere put it where the shell looks for such scripts, or load it as in the example.",
    ],
    args: [{ name: "SHELL", summary: SHELLS.join(", "), complete: SHELLS }],
    options: [],
    examples: [
      { line: "fsmon completions bash", meaning: 'load it in this bash: eval "$(fsmon completions bash)"' },
      { line: "fsmon completions zsh", meaning: "save it as _fsmon in a folder of $fpath" },
      {
        line: "fsmon completions fish",
        meaning: "save it as ~/.config/fish/completions/fsmon.fish",
      },
    ],
  },
];

export function findCommand(name: string): CommandDefinition | undefined {
  return COMMANDS.find((command) => command.name === name);
}
