// Whether this machine can build fsmon: system, processor, C library, C compiler. Each thing that is missing is one
// sentence and what to install. Never changes anything.
import { spawnSync } from "node:child_process";
import { Obstacle } from "./step.mjs";

/** Node 20 is the oldest release that the scripts are tested with. */
const NODE_MAJOR_MIN = 20;
/** What the Linux build of the pinned Bun asks of glibc (its newest symbol version). */
const GLIBC_RUNTIME_MIN = "2.17";
/** What the pinned Biome asks; needed by the checks alone, so only `npm test` insists on it. */
export const GLIBC_CHECKS_MIN = "2.30";

/** @param {string} [glibcMin] */
export function checkMachine(glibcMin = GLIBC_RUNTIME_MIN) {
  const nodeMajor = Number(process.versions.node.split(".")[0]);
  if (nodeMajor < NODE_MAJOR_MIN) {
    throw new Obstacle(
      `fsmon is built with Node ${NODE_MAJOR_MIN} or newer, and this is Node ${process.versions.node}`,
      "install a newer Node.js, from your distribution or with a version manager",
    );
  }
  if (process.platform !== "linux") {
    throw new Obstacle(
      `fsmon watches files through the Linux kernel, and this is ${process.platform}`,
      "run it on a Linux machine, version 5.9 of the kernel or newer; a virtual machine will do",
    );
  }
  if (process.arch !== "x64" && process.arch !== "arm64") {
    throw new Obstacle(`fsmon is built for x86-64 and arm64, and this processor is "${process.arch}"`);
  }
  checkGlibc(glibcVersion(), glibcMin);
}

/**
 * @param {string | undefined} found undefined where the C library is another one
 * @param {string} wanted
 */
export function checkGlibc(found, wanted) {
  if (found === undefined) {
    throw new Obstacle(
      `fsmon is built on glibc ${wanted} or newer, and this system has another C library`,
      "use a distribution with glibc, such as Debian, Ubuntu or Fedora; Alpine has musl",
    );
  }
  if (isOlder(found, wanted)) {
    throw new Obstacle(
      `fsmon is built on glibc ${wanted} or newer, and this system has glibc ${found}`,
      "use a newer release of your distribution (Debian 11, Ubuntu 20.04 and RHEL 9 are new enough)",
    );
  }
}

function glibcVersion() {
  const report = /** @type {{ header?: { glibcVersionRuntime?: string } } | undefined} */ (
    process.report?.getReport()
  );
  return report?.header?.glibcVersionRuntime;
}

/**
 * @param {string} version
 * @param {string} than
 */
function isOlder(version, than) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [majorMin = 0, minorMin = 0] = than.split(".").map(Number);
  return major < majorMin || (major === majorMin && minor < minorMin);
}

/** Compiles nothing but an #include of each header family that the helper needs, so a gap has a name. */
export function checkCompiler() {
  const compiler = process.env.CC || "cc";
  const [program = "cc", ...args] = compiler.split(" ").filter(Boolean);
  const source =
    "#include <stdint.h>\n#include <sys/stat.h>\n#include <linux/fanotify.h>\n#include <linux/perf_event.h>\n";
  const result = spawnSync(program, [...args, "-E", "-o", "/dev/null", "-x", "c", "-"], {
    input: source,
    encoding: "utf8",
  });
  if (result.error) {
    throw new Obstacle(
      process.env.CC
        ? `The C compiler "${compiler}" that CC names cannot be run`
        : 'There is no C compiler: "cc" was not found',
      `install one: ${installLine("gcc libc6-dev", "gcc glibc-devel", "gcc")}`,
    );
  }
  if (result.status === 0) return;
  const missing = /([\w./]+\.h)['":]* ?(?:No such file|file not found)/i.exec(result.stderr)?.[1];
  if (missing !== undefined) {
    const headers = installLine(
      "libc6-dev linux-libc-dev",
      "glibc-devel kernel-headers",
      "glibc linux-api-headers",
    );
    throw new Obstacle(
      `The C compiler "${compiler}" works, but the header <${missing}> is missing`,
      `install it: ${headers}`,
    );
  }
  throw new Obstacle(`The C compiler "${compiler}" does not work: ${result.stderr.trim().split("\n")[0]}`);
}

/**
 * @param {string} debian
 * @param {string} fedora
 * @param {string} arch
 */
function installLine(debian, fedora, arch) {
  return `apt-get install ${debian} (Debian, Ubuntu), dnf install ${fedora} (Fedora, RHEL), pacman -S ${arch} (Arch)`;
}
