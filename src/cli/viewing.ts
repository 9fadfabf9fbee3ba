// The commands that show what was recorded, for the table of commands. Text and names only.
import { TIME_FORMS } from "../filter/units.ts";
import type { CommandDefinition, OptionDefinition } from "./definition.ts";
import { CONFIG, FILTERS, LOG_DIR, TYPES } from "./options.ts";

/** What --format takes. */
export const FORMATS = ["jsonl", "text"] as const;

const SINCE: OptionDefinition = {
  name: "since",
  value: "TIME",
  summary: "from this time on",
  default: "the beginning",
  accepted: TIME_FORMS,
};

export const QUERY: CommandDefinition = {
  name: "query",
  summary: "print recorded events as JSON lines, in time order",
  details: [
    "Prints what lies in since ≤ time < until. Works without a daemon, and while one is writing. Nothing found is no error.",
  ],
  args: [],
  options: [
    {
      name: "path",
      short: "p",
      value: "PATH",
      repeatable: true,
      summary: "only this managed path, or what happened at or below this path",
      default: "every log",
      complete: "managed",
    },
    SINCE,
    { name: "until", value: "TIME", summary: "before this time", default: "the end", accepted: TIME_FORMS },
    {
      name: "file",
      short: "f",
      value: "FILE",
      repeatable: true,
      summary: "read this file instead of the logs; - is the standard input",
      complete: "file",
    },
    {
      name: "format",
      value: "FORMAT",
      summary: "JSON lines for programs, or aligned rows in local time for people",
      default: "jsonl",
      accepted: FORMATS.join(", "),
      complete: FORMATS,
    },
    { name: "stats", summary: "who, what, where and when in numbers instead of the events" },
    { name: "json", summary: "with --stats: one JSON object, exact, for programs" },
    CONFIG,
    LOG_DIR,
  ],
  examples: [
    { line: "fsmon query --since 1h", meaning: "the last hour" },
    { line: "fsmon query --since 1h --format text", meaning: "the same to read rather than to process" },
    { line: "fsmon query --since 7d --stats", meaning: "a week at a glance" },
    {
      line: `fsmon query -p /var/www --since 1d | jq 'select(.event_type == "DELETE")'`,
      meaning: "who deleted what",
    },
  ],
};

export const WHO: CommandDefinition = {
  name: "who",
  summary: "who changed a file: one line a change, newest first",
  details: [
    "Follows the file back across renames, saves by rename and renamed directories; it may be gone by now. What was deleted and made again under the name belongs to the answer.",
    "A user in brackets is who logged in: root (alice) is alice behind sudo. A name with ? isn't certain: the process became another program about then (env, nice, a shell's last command). Lines beginning with ! say when changes may be missing. Works without a daemon.",
  ],
  args: [
    { name: "FILE", summary: "a file below a managed path, or with -r a directory", complete: "recorded" },
  ],
  options: [
    { name: "recursive", short: "r", summary: "what changed below a directory" },
    {
      name: "number",
      short: "n",
      value: "N",
      summary: "so many changes",
      default: "20",
      accepted: "a whole number from 1 on, or all",
    },
    SINCE,
    { ...TYPES, summary: "what counts as a change", default: "what changes something" },
    { name: "json", summary: "the log's own lines of these changes and gaps, for programs" },
    CONFIG,
    LOG_DIR,
  ],
  examples: [
    { line: "fsmon who /etc/passwd", meaning: "who changed it, the last 20 times" },
    { line: "fsmon who -r /var/www --since 1d -n all", meaning: "what changed in a tree since yesterday" },
    { line: "fsmon who -t OPEN,ACCESS /etc/shadow", meaning: "who read it (add --all-events records that)" },
  ],
};

export const WATCH: CommandDefinition = {
  name: "watch",
  summary: "show events live, one line each",
  details: [
    "Follows the logs of the running daemon, needs no root and never holds the daemon up. Ends with Ctrl-C. On a terminal, events that come faster than a person reads are folded, with their number.",
    "A program's name with ? isn't certain: the process became another one about then (env, nice). The filters choose among what is recorded; see fsmon add for what they mean.",
  ],
  args: [
    {
      name: "PATH",
      summary: "only what happens at or below it (default: everything)",
      optional: true,
      repeatable: true,
      complete: "managed",
    },
  ],
  options: [
    { ...SINCE, summary: "begin with what happened from this time on", default: "now" },
    { ...TYPES, default: "all that are recorded" },
    ...FILTERS,
    { name: "json", summary: "the log's own lines, for programs" },
    CONFIG,
    LOG_DIR,
  ],
  examples: [
    { line: "fsmon watch", meaning: "everything that is being recorded" },
    { line: "fsmon watch /var/www --since 10m -e '*.swp'", meaning: "a tree, beginning ten minutes ago" },
    {
      line: "fsmon watch --json --types DELETE | jq -r .path",
      meaning: "follow deletions in a program of your own",
    },
  ],
};
