// A canary: a file that is made, changed, renamed and removed in a directory, to see what comes of it. The directory is held by a descriptor,
// so that nobody can lead us to another one in between; the file is never executed, never followed, always removed.
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import type { Owner } from "../config/owner.ts";
import { causeOf } from "../failure.ts";
import { asOwner, type Identity } from "../kernel/identity.ts";

export interface CanaryDirectory extends Disposable {
  readonly fd: number;
  /** With whose rights files are made in it. */
  readonly who: Identity;
}

/** @returns why not, where no canary may be made */
export function openCanaryDirectory(path: string, owner: Owner): CanaryDirectory | string {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    return `it can't be opened: ${causeOf(error)}`;
  }
  const close = () => closeSync(fd);
  const obstacle = tryAs(fd, owner);
  if (obstacle === null) return { fd, who: owner, [Symbol.dispose]: close };
  const { uid, mode } = fstatSync(fd);
  // Root makes files by itself only where nobody else could have prepared something.
  const rootsAlone = process.geteuid?.() === 0 && uid === 0 && (mode & 0o022) === 0;
  const root: Identity = { uid: 0, gid: 0, groups: [] };
  if (rootsAlone && tryAs(fd, root) === null) return { fd, who: root, [Symbol.dispose]: close };
  close();
  return `${owner.name} may not make files there: ${obstacle}`;
}

function tryAs(fd: number, who: Identity): string | null {
  try {
    makeAndRemove(fd, who, canaryName());
    return null;
  } catch (error) {
    return causeOf(error);
  }
}

export function canaryName(): string {
  return `.fsmon-canary-${crypto.randomUUID()}`;
}

/** One file made, closed and removed. */
export function makeAndRemove(fd: number, who: Identity, name: string): void {
  const path = `/proc/self/fd/${fd}/${name}`;
  asOwner(who, () => {
    closeSync(openSync(path, FRESH, 0o600));
    unlinkSync(path);
  });
}

const FRESH = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Everything that an event can tell, save executing and a damaged filesystem. */
export function liveAWholeLife(fd: number, who: Identity): void {
  const path = `/proc/self/fd/${fd}/${canaryName()}`;
  const renamed = `${path}-renamed`;
  asOwner(who, () => {
    const file = openSync(path, FRESH, 0o600);
    let at = path;
    try {
      writeSync(file, "canary\n");
      // By descriptor: a link that somebody puts in its place would be followed.
      fchmodSync(file, 0o640);
      closeSync(file);
      readOnce(path);
      renameSync(path, renamed);
      at = renamed;
    } finally {
      unlinkSync(at);
    }
  });
}

function readOnce(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  readSync(fd, Buffer.alloc(1));
  closeSync(fd);
}
