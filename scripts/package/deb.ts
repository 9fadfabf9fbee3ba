// A folder laid out as on the target → a .deb: an ar archive of a version, a control and a data tar (deb(5)). Written without Debian's tools,
// so that it can be made anywhere.
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { gzip, packTar, sourceTime } from "./tar.ts";

export interface DebOptions {
  readonly version: string;
  /** "amd64". */
  readonly debian: string;
  /** "2.17". */
  readonly glibc: string;
}

const MAINTAINER = "The fsmon maintainers <fsmon@packages.invalid>";

/** Adds what Debian's policy asks for to the folder. */
export function makeDeb(root: string, options: DebOptions, out: string): void {
  put(join(root, "usr/share/doc/fsmon/copyright"), readFileSync("scripts/package/debian/copyright"), 0o644);
  put(join(root, "usr/share/doc/fsmon/changelog.gz"), gzip(changelog(options.version)), 0o644);
  const overrides = readFileSync("scripts/package/debian/lintian-overrides");
  put(join(root, "usr/share/lintian/overrides/fsmon"), overrides, 0o644);
  const files = filesBelow(root);
  const installedKb = files.reduce((sum, file) => sum + Math.ceil(statSync(file).size / 1024), 0);
  const parts: [name: string, content: string, mode: number][] = [
    ["control", controlFile(options, installedKb), 0o644],
    ["md5sums", md5sums(root, files), 0o644],
    ...(["postinst", "prerm", "postrm"] as const).map((name): [string, string, number] => [
      name,
      readFileSync(`scripts/package/debian/${name}.sh`, "utf8"),
      0o755,
    ]),
  ];
  const control = `${root}.control`;
  for (const [name, content, mode] of parts) put(join(control, name), content, mode);
  for (const directory of [control, root, ...directoriesBelow(root)]) chmodSync(directory, 0o755);
  writeFileSync(
    out,
    ar([
      ["debian-binary", Buffer.from("2.0\n")],
      ["control.tar.gz", packTar(control, ["."])],
      ["data.tar.gz", packTar(root, ["."])],
    ]),
  );
}

/** Not left to the umask of whoever packages. */
function put(file: string, content: string | Buffer, mode: number): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
}

function controlFile({ version, debian, glibc }: DebOptions, installedKb: number): string {
  return `Package: fsmon
Version: ${version}
Architecture: ${debian}
Maintainer: ${MAINTAINER}
Installed-Size: ${installedKb}
Depends: libc6 (>= ${glibc})
Section: admin
Priority: optional
Description: record which process, run by whom, changed which file, and when
 One daemon watches files and directory trees through the kernel's fanotify
 and writes a line of JSON for every change: what, when, which file, which
 process, which user, and who is behind sudo. Commands for people and for
 programs search the logs, show changes live and say whether everything is
 being recorded.
`;
}

function changelog(version: string): string {
  const date = new Date(sourceTime() * 1000).toUTCString().replace("GMT", "+0000");
  return `fsmon (${version}) unstable; urgency=low\n\n  * Packaged from the sources of this version.\n\n -- ${MAINTAINER}  ${date}\n`;
}

function md5sums(root: string, files: readonly string[]): string {
  return files
    .map((file) => `${createHash("md5").update(readFileSync(file)).digest("hex")}  ${relative(root, file)}\n`)
    .join("");
}

function filesBelow(root: string): string[] {
  return readdirSync(root, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function directoriesBelow(root: string): string[] {
  return readdirSync(root, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** ar(5): a magic line, then members, each with a header of 60 bytes and an even number of bytes. */
export function ar(members: readonly (readonly [name: string, content: Buffer])[]): Buffer {
  const parts: Buffer[] = [Buffer.from("!<arch>\n")];
  for (const [name, content] of members) {
    const header = [
      name.padEnd(16),
      String(sourceTime()).padEnd(12),
      "0".padEnd(6),
      "0".padEnd(6),
      "100644".padEnd(8),
      String(content.length).padEnd(10),
      "`\n",
    ];
    parts.push(Buffer.from(header.join("")), content);
    if (content.length % 2 === 1) parts.push(Buffer.from("\n"));
  }
  return Buffer.concat(parts);
}
