// What a line says about its process, as JSON text made once and copied into each of its lines. docs/events.md
// specifies the keys.
import { isUtf8, jsonBytes, jsonOrNull, stringifySafely } from "./json-text.ts";

const encoder = new TextEncoder();

/** What is known of a process, for a line's keys; null for what isn't, or doesn't apply, or isn't wanted. */
export interface ProcessFacts {
  pid: number | null;
  /** Raw bytes as latin1. */
  comm: string | null;
  /** Name behind the real user id, or the number. */
  user: string | null;
  /** Why `user` is a number though a name may exist. */
  userReason: string | null;
  parentPid: number | null;
  /** Raw bytes as latin1. */
  exe: string | null;
  uid: number | null;
  euid: number | null;
  login: string | null;
  /** Why `login` is a number though a name may exist. */
  loginReason: string | null;
  /** Raw bytes as latin1. */
  parentComm: string | null;
  unit: string | null;
  container: string | null;
  /** Raw bytes as latin1. */
  ancestry: string | null;
  /** Each argument with a NUL behind it. */
  args: Uint8Array | null;
  /** There are more than that. */
  argsCut: boolean;
  /** Keys that are an ancestor's. */
  inherited: readonly string[];
  /** How it was identified, where not exactly; why not, where not at all. */
  who: string | null;
  whoReason: string | null;
}

/** Where nothing is known, or there is no process at all. */
export const NOBODY: ProcessFacts = {
  pid: null,
  comm: null,
  user: null,
  userReason: null,
  parentPid: null,
  exe: null,
  uid: null,
  euid: null,
  login: null,
  loginReason: null,
  parentComm: null,
  unit: null,
  container: null,
  ancestry: null,
  args: null,
  argsCut: false,
  inherited: [],
  who: null,
  whoReason: null,
};

/** A process as JSON text: what stands between path and file_size, and what follows monitored_path. */
export interface ProcessText {
  readonly middle: Uint8Array;
  readonly tail: Uint8Array;
}

export function processText(facts: ProcessFacts): ProcessText {
  const comm = facts.comm === null ? null : Buffer.from(facts.comm, "latin1");
  const middle = `","pid":${facts.pid},"cmd":${comm === null ? "null" : jsonBytes(comm)},"user":${jsonOrNull(facts.user)},"file_size":`;
  let tail = "";
  if (comm !== null && !isUtf8(comm)) tail += `,"cmd_b64":"${comm.toString("base64")}"`;
  if (facts.parentPid !== null) tail += `,"ppid":${facts.parentPid}`;
  tail += bytesKey("parent", facts.parentComm);
  tail += bytesKey("exe", facts.exe);
  if (facts.uid !== null) tail += `,"uid":${facts.uid}`;
  if (facts.euid !== null) tail += `,"euid":${facts.euid}`;
  tail += textKey("user_reason", facts.userReason);
  tail += textKey("login", facts.login);
  tail += textKey("login_reason", facts.loginReason);
  tail += textKey("unit", facts.unit);
  tail += textKey("container", facts.container);
  tail += bytesKey("ancestry", facts.ancestry);
  if (facts.args !== null) tail += argsKeys(facts.args, facts.argsCut);
  if (facts.inherited.length > 0) tail += `,"inherited":${JSON.stringify(facts.inherited)}`;
  tail += textKey("who", facts.who);
  tail += textKey("who_reason", facts.whoReason);
  return { middle: encoder.encode(middle), tail: encoder.encode(`${tail}}\n`) };
}

function textKey(key: string, value: string | null): string {
  return value === null ? "" : `,"${key}":${stringifySafely(value)}`;
}

/** The key, and its exact bytes where they are no UTF-8. */
function bytesKey(key: string, value: string | null): string {
  if (value === null) return "";
  const bytes = Buffer.from(value, "latin1");
  const exact = isUtf8(bytes) ? "" : `,"${key}_b64":"${bytes.toString("base64")}"`;
  return `,"${key}":${jsonBytes(bytes)}${exact}`;
}

function argsKeys(args: Uint8Array, cut: boolean): string {
  const list: string[] = [];
  for (let at = 0; at < args.length; ) {
    const end = args.indexOf(0, at);
    const stop = end < 0 ? args.length : end;
    list.push(jsonBytes(args.subarray(at, stop)));
    at = stop + 1;
  }
  const exact = isUtf8(args) ? "" : `,"args_b64":"${Buffer.from(args).toString("base64")}"`;
  return `,"args":[${list.join(",")}]${exact}${cut ? `,"args_cut":true` : ""}`;
}
