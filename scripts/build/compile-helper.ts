// c/fanhelp.c → a shared object. Warnings are errors; what the compiler says about them is shown as it is.
import { spawnSync } from "node:child_process";
import { Obstacle } from "../setup/step.mjs";

const LANGUAGE = ["-std=c11", "-O2", "-fPIC", "-shared", "-pthread"];

const WARNINGS = [
  ..."-Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wcast-qual -Wundef -Wvla -Wformat=2".split(" "),
  ..."-Wwrite-strings -Wstrict-prototypes -Wold-style-definition -Wimplicit-fallthrough -Wnull-dereference".split(
    " ",
  ),
];

const HARDENING = [
  "-fstack-protector-strong",
  // Some distributions switch it on by default, at another level: naming it twice would be a warning.
  "-U_FORTIFY_SOURCE",
  "-D_FORTIFY_SOURCE=2",
  // Only what fanhelp.c marks EXPORT is visible.
  "-fvisibility=hidden",
  // No lazy binding, read-only tables, no executable stack, and an undefined symbol fails here instead of at a user's.
  ..."-Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,-z,defs -Wl,--as-needed".split(" "),
];

/** @param compiler as in CC, arguments allowed ("ccache gcc") */
export function compileHelper(compiler: string, out: string): void {
  const [program = "cc", ...args] = compiler.split(" ").filter(Boolean);
  const flags = [...args, ...LANGUAGE, ...WARNINGS, ...HARDENING];
  const result = spawnSync(program, [...flags, "-o", out, "c/fanhelp.c"], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (result.error) {
    throw new Obstacle(`The C compiler "${compiler}" cannot be run`, "npm run build says what to install");
  }
  if (result.status !== 0) throw new Obstacle(`The C compiler "${compiler}" refused c/fanhelp.c`);
  console.error("Compiled c/fanhelp.c");
}
