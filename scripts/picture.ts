// Makes docs/watch.svg, the picture of `fsmon watch` in the README, out of what it really shows: a daemon under a HOME of its own, a
// viewer on a terminal (script(1) of bsdutils), and some work in a tree. Needs root, and ./fsmon (npm run build).
//
//   sudo node_modules/.bin/bun scripts/picture.ts
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { terminalSvg } from "./picture/svg.ts";

const COLUMNS = 112;
const BINARY = resolve(import.meta.dir, "../fsmon");
const PICTURE = resolve(import.meta.dir, "../docs/watch.svg");

/** Somebody edits, a script deploys, the server writes, and a build floods the screen. */
const WORK = `
mkdir -p css; sleep .4
echo 'h1 { color: red }' > css/site.css; sleep .4
sed -i s/red/teal/ css/site.css; sleep .4
./deploy; sleep .4
setpriv --reuid=www-data --clear-groups touch cache/index.html; sleep .4
chmod 640 config.toml; rm old.html; sleep .2
for i in $(seq 1 1500); do echo $i > cache/page-$i; done; sleep 1.2
rm 'odd'*; sleep .5
`;
const DEPLOY = `#!/bin/sh
echo '<h1>new</h1>' > .index.html.part
mv .index.html.part index.html
`;

const home = mkdtempSync("/tmp/fsmon-picture-");
const site = join(home, "site");
const env = { HOME: home, PATH: process.env.PATH ?? "/usr/bin:/bin", TERM: "xterm", SHELL: "/bin/sh" };
mkdirSync(join(home, ".config/fsmon"), { recursive: true });
writeFileSync(join(home, ".config/fsmon/config.toml"), `[socket]\npath = "${home}/s"\n`);
mkdirSync(join(site, "cache"), { recursive: true });
for (const name of ["index.html", "old.html", "config.toml", "odd\x1b[31mname"])
  writeFileSync(join(site, name), "x\n");
writeFileSync(join(site, "deploy"), DEPLOY);
chmodSync(home, 0o755);
chmodSync(join(site, "deploy"), 0o755);
chmodSync(join(site, "cache"), 0o777);

const daemon = Bun.spawn([BINARY, "daemon"], { env, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
try {
  for await (const chunk of daemon.stderr) if (/watching \d/.test(new TextDecoder().decode(chunk))) break;
  run(BINARY, "add", "-r", site, "--types", "CREATE,CLOSE_WRITE,ATTRIB,DELETE,MOVED_TO");
  const line = `stty cols ${COLUMNS}; exec ${BINARY} watch`;
  const viewer = Bun.spawn(["script", "-qefc", line, "/dev/null"], {
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  await Bun.sleep(700);
  const work = Bun.spawn(["bash", "-c", WORK], { cwd: site, env, stdin: "ignore" });
  await work.exited;
  await Bun.sleep(700);
  viewer.kill("SIGTERM");
  const shown = (await new Response(viewer.stdout).text())
    .split("\n")
    .filter((row) => !/WATCH|Session terminated|killed/.test(row))
    .map((row) => row.replaceAll(home, "/srv"))
    .join("\n");
  writeFileSync(PICTURE, terminalSvg(shown.trimEnd(), COLUMNS, "fsmon watch"));
  console.log(Bun.stripANSI(shown));
} finally {
  daemon.kill();
  await daemon.exited;
  rmSync(home, { recursive: true, force: true });
}

function run(...argv: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(argv, { env });
  if (exitCode !== 0) throw new Error(`${argv.join(" ")}: ${stderr.toString()}`);
}
