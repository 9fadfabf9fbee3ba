// The package as an administrator meets it: installed, started as a service under all restrictions of the unit, and removed again, on a machine
// of its own with systemd.
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { makeDeb } from "../../scripts/package/deb.ts";
import { installTree } from "../../scripts/package/tree.ts";
import { BINARY } from "../support/daemon.ts";
import { machineObstacle, onOwnMachine } from "../support/machine.ts";

/** Without a journal what the daemon says goes into a file; the rest of the unit is as it is installed. */
const DROP_IN = "[Unit]\nDefaultDependencies=no\n[Service]\nStandardError=append:/run/shared/daemon\n";

const SCRIPT = `
say() { echo "== $*"; }
alice() { HOME=/home/alice setpriv --reuid=4242 --regid=4242 --clear-groups "$@"; }
until_log() { for i in $(seq 1000); do grep -qs "$1" /home/alice/.local/state/fsmon/*_log.jsonl && return; sleep 0.05; done; echo "no line of $1"; }
echo 'alice:x:4242:4242::/home/alice:/bin/sh' >>/etc/passwd
install -d -o 4242 -g 4242 /home/alice
mkdir -p /etc/systemd/system/fsmon@.service.d
cp /run/shared/drop-in /etc/systemd/system/fsmon@.service.d/test.conf

say install; dpkg --no-triggers -i /run/shared/fsmon.deb >/dev/null; echo $?
say files; ls /usr/share/man/man1/fsmon.1.gz /usr/share/bash-completion/completions/fsmon; fsmon --version
say start; systemctl enable --quiet --no-reload fsmon@alice; systemctl start fsmon@alice; echo $?
systemctl show -p ActiveState -p StatusText fsmon@alice
say record; alice fsmon add -r /srv/data 2>&1; echo 1 >/srv/data/file; until_log '/srv/data/file'
alice fsmon query | jq -r 'select(.path == "/srv/data/file") | "\\(.event_type) \\(.cmd) \\(.user)"'
say health; alice fsmon health --json | jq -r '.healthy, .queue.limit, .daemon.identification'
say restricted; pid=$(systemctl show -p MainPID --value fsmon@alice)
grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/$pid/status
say mounted; truncate -s 130M /run/image; mkfs.btrfs -q /run/image >/dev/null 2>&1
mkdir /srv/top /srv/sub; mount -o loop /run/image /srv/top; btrfs subvolume create /srv/top/s >/dev/null
mount -o subvol=s "$(findmnt -no SOURCE /srv/top)" /srv/sub; alice fsmon add -r /srv/sub 2>&1; echo 1 >/srv/sub/inside
until_log '/srv/sub/inside'; alice fsmon managed --json | jq -r 'select(.path == "/srv/sub") | .mark'
umount /srv/sub /srv/top; echo $?
say reload; systemctl reload fsmon@alice; echo $?; systemctl is-active fsmon@alice
say killed; kill -9 $pid; for i in $(seq 600); do now=$(systemctl show -p MainPID --value fsmon@alice); [ "$now" != 0 ] && [ "$now" != $pid ] && [ "$(systemctl is-active fsmon@alice)" = active ] && break; sleep 0.1; done
echo 1 >/srv/data/after; until_log '/srv/data/after'; alice fsmon health --json | jq -r '.controllable, .gaps.daemon_crashed.count'
say upgrade; before=$(systemctl show -p MainPID --value fsmon@alice); dpkg --no-triggers -i /run/shared/fsmon.deb >/dev/null 2>&1; echo $?
[ "$(systemctl show -p MainPID --value fsmon@alice)" = "$before" ]; echo $?; systemctl is-active fsmon@alice
say remove; pid=$(systemctl show -p MainPID --value fsmon@alice); dpkg --no-triggers --purge fsmon >/dev/null 2>&1; echo $?
[ -e /proc/$pid ]; echo $?; dpkg-query -W fsmon 2>&1; ls -A /usr/bin/fsmon /usr/lib/systemd/system/fsmon@.service /usr/share/doc/fsmon /etc/systemd/system/multi-user.target.wants/fsmon@alice.service 2>&1 | grep -vc 'No such file'
say logs; grep -qh '"CREATE","path":"/srv/data/file"' /home/alice/.local/state/fsmon/*_log.jsonl; echo $?; tail -qn1 /home/alice/.local/state/fsmon/*_log.jsonl | jq -r .state | sort -u
say said; cat /run/shared/daemon
say end
`;

function sections(output: string): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const part of output.split(/^== /m).slice(1)) {
    const [name = "", ...lines] = part.trimEnd().split("\n");
    found[name] = lines;
  }
  return found;
}

describe.skipIf(machineObstacle !== null)(
  `the Debian package (needs its own machine: ${machineObstacle})`,
  () => {
    test("installs, records as a service under its restrictions, and goes cleanly, leaving the logs", () => {
      const work = mkdtempSync(join(tmpdir(), "fsmon-deb-"));
      try {
        const tree = join(work, "tree");
        installTree(BINARY, tree, "usr", true);
        const deb = join(work, "fsmon.deb");
        const debian = process.arch === "arm64" ? "arm64" : "amd64";
        makeDeb(tree, { version: manifest.version, debian, glibc: "2.17" }, deb);
        const output = onOwnMachine(SCRIPT, {
          files: { "fsmon.deb": readFileSync(deb), "drop-in": DROP_IN },
        });
        const seen = sections(output);
        const said = () => output;
        expect(seen.end, said()).toEqual([]);
        expect(seen.install).toEqual(["0"]);
        expect(seen.files?.slice(0, 2)).toEqual([
          "/usr/share/bash-completion/completions/fsmon",
          "/usr/share/man/man1/fsmon.1.gz",
        ]);
        expect(seen.files?.[2]).toStartWith(`fsmon ${manifest.version}`);
        expect(seen.start?.[0], said()).toBe("0");
        expect(seen.start).toContain("ActiveState=active");
        expect(seen.start).toContain("StatusText=watching 0 managed paths");
        expect(seen.record).toEqual([
          'fsmon: Added "/srv/data": it is being watched now',
          "CREATE bash root",
          "CLOSE_WRITE bash root",
        ]);
        // The proc connector serves the first pid namespace only, and this machine has another one.
        expect(seen.health).toEqual(["true", "1000000", expect.stringContaining("perf side-band")]);
        expect(seen.restricted).toEqual(["CapBnd:\t00000000002850cc", "NoNewPrivs:\t1", "Seccomp:\t2"]);
        expect(seen.mounted).toEqual(['fsmon: Added "/srv/sub": it is being watched now', "filesystem", "0"]);
        expect(seen.reload).toEqual(["0", "active"]);
        expect(seen.killed).toEqual(["true", "2"]);
        expect(seen.upgrade).toEqual(["0", "1", "active"]);
        expect(seen.remove).toEqual(["0", "1", "dpkg-query: no packages found matching fsmon", "0"]);
        expect(seen.logs).toEqual(["0", "stopped"]);
        // Nothing that it tries is refused by the unit.
        expect(seen.said?.join("\n")).not.toMatch(/internal fault|EPERM|EACCES|EROFS|EAFNOSUPPORT/);
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
    });
  },
);
