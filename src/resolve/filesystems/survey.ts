// After a loss, where the disk can't be asked for a directory by its handle (inode marks): where each directory is, by walking down from
// where managed paths begin. Each is marked before it is read, so whatever happens to it behind that is queued. Nothing is told and no
// tree is changed: a comparison asks for what was seen, as it asks the disk elsewhere.
import { closeSync } from "node:fs";
import { decodeScan, ScanEntry } from "../../decode/scan.ts";
import type { DirectoryEntry, ObjectTimes } from "../../kernel/handles.ts";
import { DirectoryScanner } from "../../kernel/scan.ts";
import { stands } from "../comparison.ts";
import { joinPath, type Watch } from "../watch.ts";
import type { Filesystem } from "./filesystem.ts";
import type { Filesystems } from "./filesystems.ts";
import { bytesKey } from "./handle-key.ts";
import { NodeSet } from "./node-set.ts";
import { NOT_FOUND } from "./tree.ts";

/** A directory that is to be read, for one managed path. */
interface Waiting {
  readonly handle: Uint8Array;
  readonly path: Uint8Array;
  readonly watch: Watch;
}

export class Survey {
  /** Directories that are where the tree had them: most are. */
  private readonly standing = new NodeSet();
  /** The others, by handle. */
  private readonly elsewhere = new Map<string, DirectoryEntry & ObjectTimes>();
  private readonly waiting: Waiting[] = [];
  private readonly scanner = new DirectoryScanner();
  private readonly bytes = Buffer.from(this.scanner.buffer.buffer);
  private readonly entry = new ScanEntry();

  constructor(private readonly fs: Filesystem) {
    for (const [node, anchors] of fs.begins.anchors) {
      const handle = fs.tree.handleOf(node);
      for (const { watch, path } of anchors) this.waiting.push({ handle, path, watch });
    }
  }

  get isDone(): boolean {
    return this.waiting.length === 0;
  }

  /** @param untilMs on performance.now()'s clock */
  slice(filesystems: Filesystems, untilMs: number): void {
    if (!filesystems.answers(this.fs)) this.waiting.length = 0;
    for (let one = this.waiting.pop(); one !== undefined; one = this.waiting.pop()) {
      this.read(filesystems, one);
      if (performance.now() >= untilMs) return;
    }
  }

  /** The entry that a directory was; null when it was nowhere. */
  placeOf(handle: Uint8Array): DirectoryEntry | null {
    const { tree } = this.fs;
    const seen = this.elsewhere.get(bytesKey(handle));
    if (seen !== undefined) return seen;
    const node = tree.find(handle, 0);
    if (node === NOT_FOUND || !this.standing.has(node) || tree.parentOf(node) < 0) return null;
    return { parent: tree.handleOf(tree.parentOf(node)), name: tree.nameOf(node) };
  }

  timesOf(handle: Uint8Array): ObjectTimes | null {
    return this.elsewhere.get(bytesKey(handle)) ?? null;
  }

  private read(filesystems: Filesystems, { handle, path, watch }: Waiting): void {
    const { fs, scanner, entry, bytes } = this;
    const fd = filesystems.openDirectory(fs, path, handle);
    // Renamed or removed a moment ago: that is queued. Or it can't be read, which the scan says.
    if (fd < 0) return;
    fs.group.mark("inode", fd, fs.markedMask);
    scanner.startAt(null);
    const meet = () => {
      if (!entry.directory || entry.mounted) return;
      const name = Uint8Array.from(bytes.subarray(entry.nameAt, entry.nameAt + entry.nameBytes));
      const below = joinPath(path, name);
      if (watch.hasExcludes && watch.excludesDirectory(Buffer.from(below).toString())) return;
      const child = Uint8Array.from(bytes.subarray(entry.handleAt, entry.handleAt + entry.handleBytes));
      this.note(child, handle, name);
      if (watch.recursive) this.waiting.push({ handle: child, path: below, watch });
    };
    for (let got = 0; got >= 0; ) {
      got = scanner.scanOpen(fd, true);
      if (got > 0) decodeScan(bytes, got, entry, meet);
      if (scanner.isDone) break;
    }
    closeSync(fd);
  }

  private note(handle: Uint8Array, parent: Uint8Array, name: Uint8Array): void {
    const { fs, entry } = this;
    const { tree } = fs;
    const node = tree.find(handle, 0);
    const into = tree.find(parent, 0);
    if (node !== NOT_FOUND && into !== NOT_FOUND && stands(fs, node, into, name)) this.standing.add(node);
    else {
      const { bornMs, writtenMs, changedMs, sizeBytes, directory, regular } = entry;
      const times = { bornMs, writtenMs, changedMs, sizeBytes, directory, regular };
      this.elsewhere.set(bytesKey(handle), { parent, name, ...times });
    }
  }
}
