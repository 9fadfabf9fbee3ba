// Runs the house rules over the tree: `bun scripts/house-rules.ts`, part of `npm run check`. Prints each finding with
// what to write instead; exit code 1 if there is one.
import { findingText } from "./house-rules/finding.ts";
import { RULES } from "./house-rules/rules.ts";
import { readSources } from "./house-rules/source.ts";
import { projectDir } from "./setup/step.mjs";

process.chdir(projectDir);
const sources = readSources(["src", "c", "test", "scripts"], ["build.ts"]);
const findings = sources.flatMap((file) => RULES.flatMap((rule) => rule(file)));
for (const finding of findings) console.log(findingText(finding));
process.exitCode = findings.length === 0 ? 0 : 1;
