// What every command needs to know first: whom it works for, and what is configured. Flags that name places are made
// absolute here, so that nothing below depends on the working directory.
import { type Config, type ConfigFlags, loadConfig } from "../config/config.ts";
import { findOwner, type Owner } from "../config/owner.ts";
import { defaultPlaces, type Places } from "../config/places.ts";
import { Failure } from "../failure.ts";
import type { ParsedArguments } from "./parse.ts";
import { absolutePath } from "./working-directory.ts";

export interface Context {
  readonly owner: Owner;
  readonly places: Places;
  readonly config: Config;
  /** Flags that beat the config, for whoever reads it again later. */
  readonly flags: ConfigFlags;
}

/**
 * @param more flags that a command reads by itself
 * @throws {Failure} when there is no such user, or the config can't be used
 */
export function loadContext(args: ParsedArguments, more: ConfigFlags = {}): Context {
  const { owner, places } = loadPlaces(args);
  const flags: ConfigFlags = {
    logDir: placeFlag(args, "log-dir"),
    managedFile: placeFlag(args, "managed-file"),
    socketPath: placeFlag(args, "socket"),
    ...more,
  };
  const config = loadConfig({ owner, env: process.env, flags, places });
  if (args.last("config") !== undefined && !config.configFound) {
    throw new Failure(
      `Cannot read the config file "${places.configFile}": it does not exist`,
      `fsmon generate --config "${places.configFile}" writes one`,
    );
  }
  return { owner, places, config, flags };
}

/** Without reading the config: for `generate`, which writes it. */
export function loadPlaces(args: ParsedArguments): { owner: Owner; places: Places } {
  const owner = findOwner({ env: process.env, userOption: args.last("user") });
  const defaults = defaultPlaces(owner, process.env);
  return { owner, places: { ...defaults, configFile: placeFlag(args, "config") ?? defaults.configFile } };
}

function placeFlag(args: ParsedArguments, name: string): string | undefined {
  const typed = args.last(name);
  return typed === undefined ? undefined : absolutePath(typed);
}
