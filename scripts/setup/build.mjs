// The step before every other: set up what is missing, then let build.ts make ./fsmon if a source has changed.
import { setUp } from "./packages.mjs";
import { Obstacle, run } from "./step.mjs";

/**
 * @param {{ glibcMin?: string, args?: string[] }} [options] `args` go to build.ts
 * @returns {string} the path of Bun
 */
export function build({ glibcMin, args = [] } = {}) {
  const bun = setUp(glibcMin);
  const { exitCode } = run(bun, ["build.ts", ...args], { asTreeOwner: true });
  if (exitCode !== 0)
    throw new Obstacle("The build failed, its reason is above; ./fsmon is what it was before");
  return bun;
}
