// `npm start`: sets up what is missing, builds, and shows ./fsmon at its main job (scripts/demo.ts). Works on a machine
// that has Node, npm, a C compiler and nothing else; the second time nothing is installed or built that is current.
import { spawn } from "node:child_process";
import { build } from "./setup/build.mjs";
import { main, Obstacle, projectDir } from "./setup/step.mjs";

await main(() => {
  const bun = build();
  if (process.getuid?.() !== 0) {
    throw new Obstacle(
      "fsmon is built, but its daemon needs root: the kernel tells nobody else who changes which file",
      `${asRoot()}   (a demonstration in a folder of its own; it leaves nothing behind)`,
    );
  }
  return demonstrate(bun);
});

/** sudo looks for programs in the system's folders only, and Node may well be somewhere else. */
function asRoot() {
  if (/^\/usr(\/local)?\/bin\//.test(process.execPath)) return "sudo npm start";
  return `sudo "${process.execPath}" "${projectDir}/scripts/start.mjs"`;
}

/**
 * @param {string} bun
 * @returns {Promise<number>} its exit code
 */
function demonstrate(bun) {
  const demo = spawn(bun, ["scripts/demo.ts"], { cwd: projectDir, stdio: ["ignore", "inherit", "inherit"] });
  // Ctrl-C reaches the demonstration as well; it tidies up, and we wait for that.
  process.on("SIGINT", () => {});
  for (const signal of /** @type {const} */ (["SIGTERM", "SIGHUP"]))
    process.on(signal, () => demo.kill(signal));
  return new Promise((done) => demo.on("close", (code) => done(code ?? 1)));
}
