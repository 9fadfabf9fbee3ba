import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { ARCHITECTURES } from "../../scripts/package/architecture.ts";
import { ar, makeDeb } from "../../scripts/package/deb.ts";
import { checkBinary, neededVersions, readElfHeader, runtimeGlibc } from "../../scripts/package/elf.ts";
import { buildForeign } from "../../scripts/package/foreign.ts";
import { packTar } from "../../scripts/package/tar.ts";
import { installTree } from "../../scripts/package/tree.ts";

const dir = mkdtempSync(join(tmpdir(), "fsmon-package-"));
const small = join(dir, "small");
beforeAll(() => writeFileSync(small, "not fsmon, but quickly packed\n"));
afterAll(() => rmSync(dir, { recursive: true }));

function debOf(binary: string, name: string): string {
  const tree = join(dir, `${name}-tree`);
  installTree(binary, tree, "usr", true);
  const out = join(dir, `${name}.deb`);
  makeDeb(tree, { version: manifest.version, debian: "amd64", glibc: "2.17" }, out);
  return out;
}

const native = ARCHITECTURES.find((one) => one.node === process.arch)!;
const foreign = ARCHITECTURES.find((one) => one.node !== process.arch)!;

describe("packages", () => {
  test("are the same bytes when they are made again, whatever the umask", () => {
    const first = debOf(small, "first");
    const before = process.umask(0o077);
    const second = debOf(small, "second");
    process.umask(before);
    expect(hashOf(second)).toBe(hashOf(first));
    mkdirSync(join(dir, "tars/fsmon"), { recursive: true });
    copyFileSync(small, join(dir, "tars/fsmon/file"));
    const tars = [1, 2].map(() => packTar(join(dir, "tars"), ["fsmon"]).toString("base64"));
    expect(tars[1]).toBe(tars[0]!);
  });

  test("a .deb is an ar archive of the three members in Debian's order", () => {
    const bytes = readFileSync(debOf(small, "members"));
    expect(bytes.toString("latin1", 0, 8)).toBe("!<arch>\n");
    expect(
      [...bytes.toString("latin1").matchAll(/([a-z.-]+) +\d+ +0 +0 +100644 +\d+ +`\n/g)].map(
        ([, name]) => name,
      ),
    ).toEqual(["debian-binary", "control.tar.gz", "data.tar.gz"]);
    expect(ar([["odd", Buffer.from("x")]]).length % 2).toBe(0);
  });
});

test("a tarball is laid out for /usr/local, and its unit starts the binary there", () => {
  installTree(small, join(dir, "local/fsmon-1"), "", false);
  const archive = join(dir, "local.tar.gz");
  writeFileSync(archive, packTar(join(dir, "local"), ["fsmon-1"]));
  const target = join(dir, "usr-local");
  mkdirSync(target);
  spawnSync("tar", ["-xzf", archive, "-C", target, "--strip-components=1"]);
  expect(statSync(join(target, "bin/fsmon")).mode & 0o7777).toBe(0o755);
  expect(readFileSync(join(target, "share/man/man1/fsmon.1"), "utf8")).toStartWith(".TH");
  for (const path of [
    "share/bash-completion/completions/fsmon",
    "share/zsh/site-functions/_fsmon",
    "share/doc/fsmon/README.md",
    "share/doc/fsmon/README.zh-CN.md",
    "share/doc/fsmon/watch.svg",
  ])
    expect(existsSync(join(target, path))).toBe(true);
  const unit = readFileSync(join(target, "lib/systemd/system/fsmon@.service"), "utf8");
  expect(unit).toContain("ExecStart=/usr/local/bin/fsmon daemon");
});

describe.skipIf(Bun.which("dpkg-deb") === null)("a .deb (needs dpkg-deb)", () => {
  test("is read by dpkg, with man pages, completions, unit and documentation", () => {
    const deb = debOf(small, "listed");
    const list = spawnSync("dpkg-deb", ["-c", deb], { encoding: "utf8" }).stdout;
    for (const path of [
      "/usr/bin/fsmon",
      "/usr/share/man/man1/fsmon.1.gz",
      "/usr/share/man/man5/fsmon-events.5.gz",
      "/usr/share/bash-completion/completions/fsmon",
      "/usr/share/zsh/vendor-completions/_fsmon",
      "/usr/share/fish/vendor_completions.d/fsmon.fish",
      "/usr/lib/systemd/system/fsmon@.service",
      "/usr/share/doc/fsmon/events.md",
    ])
      expect(list).toContain(` .${path}\n`);
    const field = (name: string) =>
      spawnSync("dpkg-deb", ["-f", deb, name], { encoding: "utf8" }).stdout.trim();
    expect(field("Version")).toBe(manifest.version);
    expect(field("Depends")).toBe("libc6 (>= 2.17)");
  });
});

describe.skipIf(Bun.which("lintian") === null)("a .deb (needs lintian)", () => {
  test("has nothing that lintian calls an error or a warning, save what the overrides explain", () => {
    const done = spawnSync(
      "lintian",
      ["--allow-root", "--fail-on", "error,warning", debOf(small, "linted")],
      {
        encoding: "utf8",
        timeout: 50_000,
      },
    );
    // The stand-in is no program.
    const complaints = done.stdout
      .split("\n")
      .filter((line) => /^[EW]:/.test(line) && !line.includes("executable-not-elf-or-script"));
    expect(complaints).toEqual([]);
  });
});

describe("the ELF check", () => {
  test("accepts what is built here, and knows the oldest glibc that it runs on", () => {
    expect(checkBinary("fsmon", "build/fanhelp.so", native)).toBe("2.17");
    expect(neededVersions(readFileSync("build/fanhelp.so"))).toContain("GLIBC_2.2.5");
    expect(runtimeGlibc("fsmon")).toBe("2.17");
  });

  test("refuses the other processor's, what is no ELF, and a helper that asks for more than the runtime", () => {
    expect(() => checkBinary("fsmon", "build/fanhelp.so", foreign)).toThrow(`no program for ${foreign.name}`);
    expect(() => checkBinary(small, "build/fanhelp.so", native)).toThrow("no program for");
    expect(readElfHeader(Buffer.from("#!/bin/sh"))).toBe(null);
    const demanding = join(dir, "demanding.so");
    const bytes = readFileSync("build/fanhelp.so");
    writeFileSync(demanding, Buffer.concat([bytes, Buffer.from("\0GLIBC_2.34\0")]));
    expect(() => checkBinary("fsmon", demanding, native)).toThrow("asks for glibc 2.34");
  });
});

const crossObstacle =
  Bun.which(foreign.compiler) === null
    ? `needs ${foreign.compiler}`
    : existsSync(`build/${foreign.node}/runtime.tgz`)
      ? null
      : "needs the other runtime, which npm run package fetches";

describe.skipIf(crossObstacle !== null)(
  `fsmon for ${foreign.name} (needs cross compiler and runtime: ${crossObstacle})`,
  () => {
    test("is built for that processor and that glibc, with the doors closed", () => {
      const binary = buildForeign(foreign);
      expect(checkBinary(binary, `build/${foreign.node}/build/fanhelp.so`, foreign)).toBe("2.17");
      const head = readElfHeader(readFileSync(binary));
      expect(head).toMatchObject({ fits: true, machine: foreign.elfMachine });
    });

    const emulator = foreign.node === "arm64" ? "qemu-aarch64-static" : "qemu-x86_64-static";
    test.skipIf(Bun.which(emulator) === null)(
      "runs in an emulator, whatever the environment says (needs qemu-user-static)",
      () => {
        const env = { BUN_OPTIONS: "--preload=/nonexistent.js", BUN_BE_BUN: "1", BUN_JSC_noSuchOption: "1" };
        const root = foreign.node === "arm64" ? "/usr/aarch64-linux-gnu" : "/usr/x86_64-linux-gnu";
        const done = spawnSync(emulator, ["-L", root, buildForeign(foreign), "--version"], {
          encoding: "utf8",
          env,
        });
        expect(done).toMatchObject({
          status: 0,
          stderr: "",
          stdout: expect.stringContaining(`fsmon ${manifest.version}`),
        });
      },
    );
  },
);

function hashOf(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}
