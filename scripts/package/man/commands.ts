// fsmon.1, from the table that --help is made from, and the default places and exit codes from the code itself.
import manifest from "../../../package.json" with { type: "json" };
import type { CommandDefinition, OptionDefinition } from "../../../src/cli/definition.ts";
import { argumentUsage } from "../../../src/cli/help.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "../../../src/cli/table.ts";
import { defaultPlaces } from "../../../src/config/places.ts";
import { sourceTime } from "../tar.ts";
import { argument, bold, example, guarded, italic, opening, roff } from "./roff.ts";

export function commandsPage(): string {
  const lines = [
    ...opening("FSMON", 1, sourceTime(), manifest.version, "User Commands"),
    ".SH NAME",
    `fsmon \\- ${roff("record which process, run by whom, changed which file, and when")}`,
    ".SH SYNOPSIS",
    ...COMMANDS.flatMap(synopsis),
    ".SH DESCRIPTION",
    roff(
      "One daemon, run by root, watches the paths that were put under management and writes one line of JSON for every change. Everything else is done by its owner, without root: choosing what is recorded, searching the logs, looking at what happens.",
    ),
    ".PP",
    `The lines of a log are described in ${bold("fsmon-events")}(5).`,
    ".SH COMMANDS",
    ...COMMANDS.flatMap(commandSection),
    ".SH OPTIONS OF EVERY COMMAND",
    ...GLOBAL_OPTIONS.flatMap(optionEntry),
    ".SH EXIT STATUS",
    ...entry(bold("0"), "done; for a question also when the answer is that there is nothing"),
    ...entry(bold("1"), "failed, or the verdict is bad (health, doctor); the reason is on stderr"),
    ...entry(bold("2"), "the command line was wrong; nothing was changed"),
    ".SH FILES",
    ...files(),
    ".SH SEE ALSO",
    `${bold("fsmon-events")}(5), ${bold("fanotify")}(7), ${bold("jq")}(1), ${bold("systemd")}(1)`,
  ];
  return `${lines.join("\n")}\n`;
}

function synopsis({ name, args }: CommandDefinition): string[] {
  const words = args.map((one) => ` ${italic(argumentUsage(one))}`).join("");
  return [".br", `${bold("fsmon")} ${bold(name)}${words} [${italic("options")}]`];
}

function commandSection(command: CommandDefinition): string[] {
  const { name, summary, details, args, options, examples } = command;
  return [
    `.SS ${argument(["fsmon", name, ...args.map(argumentUsage)].join(" "))}`,
    guarded(roff(capitalised(summary))),
    ...details.flatMap((detail) => [".PP", guarded(roff(detail))]),
    ...args.flatMap((one) => entry(italic(one.name), one.summary)),
    ...options.flatMap(optionEntry),
    ...examples.flatMap(({ line, meaning }) => [
      ".PP",
      guarded(roff(`${capitalised(meaning)}:`)),
      ...example([line]),
    ]),
  ];
}

function optionEntry(option: OptionDefinition): string[] {
  const { name, short, value, repeatable, summary, accepted, default: preset } = option;
  const valueText = value === undefined ? "" : ` ${italic(value)}`;
  const names = [
    ...(short === undefined ? [] : [`${bold(`-${short}`)}${valueText}`]),
    `${bold(`--${name}`)}${valueText}`,
  ];
  const notes = [
    repeatable ? "May be repeated." : "",
    preset === undefined ? "" : `Default: ${preset}.`,
    accepted === undefined ? "" : `Accepted: ${accepted}.`,
  ];
  return entry(
    names.join(", "),
    [`${capitalised(summary)}.`, ...notes.filter((note) => note !== "")].join(" "),
  );
}

/** @param term roff already */
function entry(term: string, text: string): string[] {
  return [".TP", guarded(term), guarded(roff(text))];
}

function files(): string[] {
  const owner = { uid: 0, gid: 0, groups: [], name: "", home: "~" };
  const places = defaultPlaces(owner, {}, false);
  const socket = places.socketPath.replace("-0.", "-<UID>.");
  return [
    ...entry(italic(places.configFile), "Configuration; fsmon generate writes one with comments."),
    ...entry(italic(places.managedFile), "The managed paths with their filters, one line of JSON each."),
    ...entry(
      italic(`${places.logDir}/*_log.jsonl`),
      "The logs: for each managed path a live file and older, numbered segments.",
    ),
    ...entry(italic(socket), "Control socket of the daemon that works for this user."),
  ];
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
