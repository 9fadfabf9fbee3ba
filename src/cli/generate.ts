// `fsmon generate`: writes the default config with its comments; never over an existing one unless told to.
import { writeDefaultConfig } from "../config/template.ts";
import { EXIT, type ExitCode } from "../failure.ts";
import { loadPlaces } from "./context.ts";
import type { ParsedArguments } from "./parse.ts";
import { remark } from "./report.ts";

export async function run(args: ParsedArguments): Promise<ExitCode> {
  const { owner, places } = loadPlaces(args);
  const file = writeDefaultConfig(places, owner, { force: args.has("force") });
  remark(`Wrote the default config to "${file}"`);
  return EXIT.fine;
}
