// A machine of its own for one test: this system's files under an overlay that is thrown away, its own processes, mounts and
// control groups, and systemd as its first process. Nothing on the real one is changed. Needs root.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { captureObstacle } from "./filesystem.ts";

const SYSTEMD = "/lib/systemd/systemd";

/** Where version 2 of control groups is mounted; systemd needs one. */
const cgroupDir = /^\S+ (\S+) cgroup2 /m.exec(readFileSync("/proc/mounts", "utf8"))?.[1] ?? null;

/** Why there can't be one; null where there can. */
export const machineObstacle: string | null =
  captureObstacle ??
  (!existsSync(SYSTEMD) ? "needs systemd" : cgroupDir === null ? "needs a mounted cgroup2" : null);

/** Long enough for a busy machine; a service that doesn't come up ends by its own time limit before. */
const RUN_MAX_S = 240;

/** Runs in the namespaces: $1 a directory for what is thrown away, $2 one that both sides see, $3 systemd. */
const BEGIN = `
set -e
mount -t tmpfs fsmon-test "$1"
mkdir "$1"/upper "$1"/work "$1"/root
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" fsmon-test "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
for dir in run tmp home; do mount -t tmpfs fsmon-test $dir; done
mkdir run/shared srv/data
mount --bind "$2" run/shared
mount -t tmpfs fsmon-test srv/data
mount --make-rshared .
rm -rf etc/systemd/system/*
cp "$2"/units/* etc/systemd/system/
exec chroot . /usr/bin/env -i container=fsmon-test PATH=/usr/sbin:/usr/bin:/sbin:/bin "$3" --system --unit=script.service --show-status=no --log-target=null
`;

/** Started by systemd; what it does is the test's. Then the machine is switched off. */
const SCRIPT_UNIT = `[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/bash /run/shared/script
StandardOutput=file:/run/shared/output
StandardError=inherit
ExecStopPost=/bin/systemctl --no-block --force exit
`;

/**
 * Runs a bash script as root on a machine that has just started, with an empty tmpfs at /srv/data and no users' homes.
 *
 * @param files to be found in /run/shared
 * @param units files for /etc/systemd/system
 * @returns what it printed, stderr included
 */
export function onOwnMachine(
  script: string,
  options: {
    files?: Readonly<Record<string, string | Buffer>>;
    units?: Readonly<Record<string, string>>;
  } = {},
): string {
  const scratch = mkdtempSync(join(tmpdir(), "fsmon-machine-"));
  const shared = mkdtempSync(join(tmpdir(), "fsmon-shared-"));
  const group = `${cgroupDir}/fsmon-test-${process.pid}`;
  try {
    mkdirSync(join(shared, "units"));
    for (const [name, content] of Object.entries(options.files ?? {}))
      writeFileSync(join(shared, name), content);
    for (const [name, content] of Object.entries({ ...options.units, "script.service": SCRIPT_UNIT }))
      writeFileSync(join(shared, "units", name), content);
    writeFileSync(join(shared, "script"), script);
    chmodSync(shared, 0o755);
    mkdirSync(group);
    const enter = `echo $$ >"$0/cgroup.procs"; exec timeout -s KILL ${RUN_MAX_S} unshare -m -p -f -u -i -C --propagation private bash -c "$1" begin "$2" "$3" "$4"`;
    const argv = ["-c", enter, group, BEGIN, scratch, shared, SYSTEMD];
    const done = spawnSync("bash", argv, { encoding: "utf8", env: { PATH: process.env.PATH ?? "" } });
    const output = join(shared, "output");
    if (!existsSync(output)) throw new Error(`The machine didn't start: ${done.stderr}${done.stdout}`);
    return readFileSync(output, "utf8");
  } finally {
    // Groups that systemd made, innermost first.
    spawnSync("find", [group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
    for (const dir of [scratch, shared]) rmSync(dir, { recursive: true, force: true });
  }
}
