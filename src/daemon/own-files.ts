// Which files the daemon itself writes. Events of them are told from others' by their pid; reading directories after a loss
// shows them like any others, and they must not be told.
import type { Config } from "../config/config.ts";
import { isAtOrBelow } from "../containment.ts";
import type { ManagedPath } from "../event.ts";
import { LOCK_NAME } from "../log/lifetime.ts";
import { parseLogName } from "../log/names.ts";

/** @param madeConfig where this daemon wrote the default config; null where there was one */
export function isOwnFile(
  { logDir, managedFile, socketPath }: Config,
  madeConfig: string | null,
  directory: string,
  name: string,
): boolean {
  if (directory === logDir) return name === LOCK_NAME || parseLogName(name) !== null;
  const path = directory === "/" ? `/${name}` : `${directory}/${name}`;
  return path === managedFile || path === socketPath || path === logDir || path === madeConfig;
}

/** Says so when the logs lie inside the tree: harmless, but worth knowing. */
export function logDirNote({ logDir }: Config, managed: ManagedPath): string[] {
  if (!isAtOrBelow(logDir, managed.path)) return [];
  return [
    `the logs lie inside this tree (${logDir}): fsmon's own writing there is not recorded, nor is reading the logs`,
  ];
}
