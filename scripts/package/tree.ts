// What is installed: the binary, man pages, completions, the unit and the documentation, in a folder laid out as on the target.
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { bashScript } from "../../src/cli/completions/bash.ts";
import { fishScript } from "../../src/cli/completions/fish.ts";
import { zshScript } from "../../src/cli/completions/zsh.ts";
import { commandsPage } from "./man/commands.ts";
import { eventsPage } from "./man/events.ts";
import { gzip } from "./tar.ts";

/**
 * @param prefix "usr" for a Debian package, "" for a tarball that is unpacked over /usr/local
 * @param forDebian Debian's folders for completions, gzipped man pages
 */
export function installTree(binary: string, root: string, prefix: string, forDebian: boolean): void {
  const put = (path: string, content: string | Buffer, mode = 0o644) => {
    const file = join(root, prefix, path);
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    writeFileSync(file, content);
    // Not left to the umask of whoever packages.
    chmodSync(file, mode);
  };
  put("bin/fsmon", "", 0o755);
  copyFileSync(binary, join(root, prefix, "bin/fsmon"));
  chmodSync(join(root, prefix, "bin/fsmon"), 0o755);

  const man = (section: number, name: string, page: string) =>
    forDebian
      ? put(`share/man/man${section}/${name}.gz`, gzip(page))
      : put(`share/man/man${section}/${name}`, page);
  man(1, "fsmon.1", commandsPage());
  man(5, "fsmon-events.5", eventsPage());

  put("share/bash-completion/completions/fsmon", bashScript());
  put(forDebian ? "share/zsh/vendor-completions/_fsmon" : "share/zsh/site-functions/_fsmon", zshScript());
  put("share/fish/vendor_completions.d/fsmon.fish", fishScript());

  const bin = forDebian ? "/usr/bin" : "/usr/local/bin";
  put("lib/systemd/system/fsmon@.service", unitFile(bin));
  for (const name of readdirSync("docs").sort())
    if (/\.(md|json|svg)$/.test(name)) put(`share/doc/fsmon/${name}`, readFileSync(join("docs", name)));
  for (const name of ["README.md", "README.zh-CN.md"]) {
    // Here the pages of docs/ lie beside it.
    put(`share/doc/fsmon/${name}`, readFileSync(name, "utf8").replaceAll("](docs/", "]("));
  }
}

/** The unit for a binary in that folder. */
export function unitFile(binDir: string): string {
  return readFileSync("scripts/package/fsmon@.service", "utf8").replaceAll("@BINDIR@", binDir);
}
