// `fsmon daemon --check-config`: what is in force, as TOML, with the source of each value behind it.
import type { Config, ValueSource } from "../config/config.ts";
import { FIELDS, KEYS } from "../config/keys.ts";
import type { Owner } from "../config/owner.ts";
import { escapeForTerminal } from "../show/escape.ts";
import type { Context } from "./context.ts";

const SOURCES: Readonly<Record<ValueSource, string>> = {
  flag: "from the command line",
  config: "from the config file",
  environment: "default, by the environment's XDG_* variables",
  default: "default",
};

/** Lines for stdout; a copy of them is a valid config. */
export function describeConfig({ config, owner }: Context): string {
  const found = config.configFound ? "" : " (it does not exist)";
  const lines = [`# user ${owner.name} (uid ${owner.uid}), config file ${config.configFile}${found}`];
  let section = "";
  for (const field of FIELDS) {
    if (KEYS[field].section !== section) {
      section = KEYS[field].section;
      lines.push(`[${section}]`);
    }
    const value = written(field, config, owner);
    const source = SOURCES[config.sources[field]];
    lines.push(
      value === null
        ? `# ${KEYS[field].key}: no bound (${source})`
        : `${KEYS[field].key} = ${value} # ${source}`,
    );
  }
  return `${lines.map(escapeForTerminal).join("\n")}\n`;
}

function written<Field extends (typeof FIELDS)[number]>(
  field: Field,
  config: Config,
  owner: Owner,
): string | null {
  return KEYS[field].write(config[field], owner);
}
