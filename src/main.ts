// The program's entry: words in, exit code out. The process ends by itself once nothing is left to do, so that nothing
// written is lost; whoever must end at once does so in the command's own file.

import { runCommandLine } from "./cli/run.ts";

process.exitCode = await runCommandLine(process.argv.slice(2));
