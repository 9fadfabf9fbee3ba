// /proc/PID/cgroup → systemd unit and container. Read while the process lives: moves between cgroups send no
// message. cgroups(7).
import { readFileSync } from "node:fs";

export interface ControlGroup {
  /** "nginx.service", "session-3.scope"; null outside systemd. */
  unit: string | null;
  /** The container's id as its runtime names it, cut to the 12 characters that people know; null outside. */
  container: string | null;
}

/** Undefined for a process that is gone. */
export function readControlGroup(pid: number): ControlGroup | undefined {
  try {
    return parseControlGroup(readFileSync(`/proc/${pid}/cgroup`, "utf8"));
  } catch {
    return undefined;
  }
}

/**
 * Of several hierarchies the unified one and systemd's own name the unit; whichever names a container does so
 * for all.
 */
function parseControlGroup(text: string): ControlGroup {
  let unit: string | null = null;
  let container: string | null = null;
  for (const line of text.split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined || controllers === undefined) continue;
    container ??= containerOf(path);
    if (controllers === "" || controllers === "name=systemd") unit ??= unitOf(path);
  }
  return { unit, container };
}

/**
 * docker-<id>.scope, /docker/<id>, cri-containerd-<id>.scope, libpod-<id>.scope, crio-<id>.scope: a 64-digit
 * id; /lxc.payload.<name> and /machine.slice/<name>.
 */
function containerOf(path: string): string | null {
  const id = /(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:\/|$)/.exec(path)?.[1];
  if (id !== undefined) return id.slice(0, 12);
  const lxc = /\/lxc(?:\.payload)?[./]([^/]+)/.exec(path)?.[1];
  if (lxc !== undefined) return lxc;
  const unit = /\/machine\.slice\/(?:machine-|systemd-nspawn@)?([^/]+?)\.(?:scope|service)(?:\/|$)/.exec(
    path,
  )?.[1];
  return unit === undefined ? null : unescapeUnit(unit);
}

/** `my\x2dbox` → `my-box` (systemd-escape(1)). */
function unescapeUnit(name: string): string {
  return name.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** The innermost service or scope; a slice where there is neither. */
function unitOf(path: string): string | null {
  const parts = path.split("/").reverse();
  const find = (ending: RegExp) => parts.find((part) => ending.test(part));
  return find(/\.(service|scope)$/) ?? find(/\.slice$/) ?? null;
}
