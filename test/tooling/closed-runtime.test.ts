// The runtime of ./fsmon against the variables that make a Bun program run foreign code. Each door is first shown to be
// open in a program on the plain Bun, so that a door that has only moved is noticed.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { closeEngineOptions, closeNames } from "../../scripts/build/closed-runtime.ts";

const dir = mkdtempSync(join(tmpdir(), "fsmon-doors-"));
const runtimes = { plain: process.execPath, closed: resolve("build/runtime") };
const foreign = join(dir, "foreign.js");

beforeAll(() => {
  writeFileSync(join(dir, "app.ts"), 'console.log("app", ...process.argv.slice(2));');
  writeFileSync(foreign, 'console.log("foreign code");');
  for (const [name, runtime] of Object.entries(runtimes)) {
    const args = ["build", "--compile", `--compile-executable-path=${runtime}`, "app.ts", "--outfile", name];
    const built = spawnSync(process.execPath, args, { cwd: dir, encoding: "utf8" });
    if (built.status !== 0) throw new Error(built.stderr);
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

function output(runtime: keyof typeof runtimes, env: Record<string, string>): string {
  return spawnSync(join(dir, runtime), ["--version"], { cwd: dir, env, encoding: "utf8", timeout: 10_000 })
    .stdout;
}

const DOORS = [
  { variable: "BUN_OPTIONS", value: `--preload=${foreign}`, open: /foreign code/ },
  { variable: "BUN_BE_BUN", value: "1", open: /^\d+\.\d+\.\d+\n$/ },
];

describe("a program on the closed runtime", () => {
  for (const { variable, value, open } of DOORS) {
    test(`is not led astray by ${variable}`, () => {
      expect(output("plain", { [variable]: value })).toMatch(open);
      expect(output("closed", { [variable]: value })).toBe("app --version\n");
    });
    test(`has no other name for ${variable} that an environment can hold`, () => {
      const rest = variable.slice(1);
      for (const name of [rest, `\x01${rest}`])
        expect(output("closed", { [name]: value })).toBe("app --version\n");
    });
  }

  test("opens no debugger for BUN_INSPECT", async () => {
    // With wait=1 a program does nothing before a debugger has come.
    const port = await freePort();
    const env = { BUN_INSPECT: `127.0.0.1:${port}/x?wait=1` };
    const plain = spawn(join(dir, "plain"), ["--version"], { cwd: dir, env });
    while (!(await isListening(port))) expect(plain.exitCode).toBe(null);
    plain.kill("SIGKILL");
    expect(output("closed", env)).toBe("app --version\n");
  });
});

describe("the engine's options", () => {
  const overrides = join(dir, "overrides");
  const source = join(dir, "whole.js");
  beforeAll(() => {
    writeFileSync(source, "function told() {\n  return 1;\n}\nconsole.log(told());\n");
    writeFileSync(overrides, "override !@#${\n  return 1;\n}!@#$\nwith !@#${\n  return 666;\n}!@#$\n");
  });
  const told = (runtime: string, env: string[]) =>
    spawnSync("env", ["-i", ...env, runtime, source], { encoding: "utf8", timeout: 10_000 }).stdout;

  test("exchange a function's body in the plain runtime, and nothing in the closed one", () => {
    const variable = `BUN_JSC_functionOverrides=${overrides}`;
    expect(told(process.execPath, [variable])).toBe("666\n");
    expect(told(runtimes.closed, [variable])).toBe("1\n");
    expect(told(runtimes.closed, ["A=1", variable, "B=2"])).toBe("1\n");
  });

  test("nor when the name is cut so that two variables lie behind each other", () => {
    const script = `import os,sys
name=b"BUN_JSC_functionOverrides="+sys.argv[2].encode()
import ctypes
libc=ctypes.CDLL(None)
for cut in range(1,9):
  parts=[name[:cut],name[cut:],name[cut+1:],b""]
  pid=os.fork()
  if pid==0:
    argv=(ctypes.c_char_p*3)(sys.argv[1].encode(),sys.argv[3].encode(),None)
    envp=(ctypes.c_char_p*5)(*parts,None)
    libc.execve(sys.argv[1].encode(),argv,envp)
    os._exit(9)
  os.waitpid(pid,0)`;
    const done = spawnSync("python3", ["-c", script, runtimes.closed, overrides, source], {
      encoding: "utf8",
    });
    expect(done.stdout).toBe("1\n".repeat(8));
  });
});

describe("closeEngineOptions()", () => {
  const EM_X86_64 = 62;
  const EM_AARCH64 = 183;
  const ARM = "2a0140395f090171 01ffff54 2a0540395f550171a1feff54";

  function elf(machine: number, code: string): Buffer {
    const header = Buffer.alloc(64);
    header.writeUInt16LE(machine, 18);
    return Buffer.concat([header, Buffer.from(code.replaceAll(" ", ""), "hex")]);
  }

  test("makes the jump after the first byte one that is always taken, to the same place, on either processor", () => {
    const arm = elf(EM_AARCH64, ARM);
    closeEngineOptions(arm);
    // b.ne -0x20 has become b -0x20.
    expect(arm).toEqual(elf(EM_AARCH64, ARM.replace("01ffff54", "f8ffff17")));
    const intel = elf(EM_X86_64, "41803e42 75e4 41807e015575dd");
    closeEngineOptions(intel);
    expect(intel).toEqual(elf(EM_X86_64, "41803e42 ebe4 41807e015575dd"));
  });

  test("refuses a runtime in which the check isn't found once, or for another processor", () => {
    expect(() => closeEngineOptions(elf(EM_X86_64, ARM))).toThrow(/found 0 times/);
    expect(() => closeEngineOptions(elf(EM_AARCH64, ARM + ARM))).toThrow(/found 2 times/);
    expect(() => closeEngineOptions(elf(40, ARM))).toThrow(/ELF 40/);
  });
});

test("closeNames() refuses a runtime in which a name is not found as often as expected", () => {
  expect(() => closeNames(Buffer.from("NAME and NAME"), { NAME: 1 })).toThrow(
    'holds the name "NAME" 2 times',
  );
  expect(() => closeNames(Buffer.from("nothing"), { NAME: 0 })).toThrow('holds the name "NAME" 0 times');
});

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" ? (address?.port ?? 0) : 0));
    });
  });
}

function isListening(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => done(true)).once("error", () => done(false));
    socket.once("connect", () => socket.destroy());
  });
}
