// The processors that fsmon is packaged for, with everybody's name for each. A table and nothing else.

export interface Architecture {
  /** process.arch. */
  readonly node: "x64" | "arm64";
  /** As uname -m has it; in file names. */
  readonly name: string;
  /** dpkg --print-architecture. */
  readonly debian: string;
  /** The runtime's package in the registry, by the version that package-lock.json pins. */
  readonly runtime: string;
  readonly bunTarget: string;
  /** Debian's cross compiler, and the packages it comes with. */
  readonly compiler: string;
  readonly compilerPackages: string;
  /** e_machine (elf.h). */
  readonly elfMachine: number;
}

export const ARCHITECTURES: readonly Architecture[] = [
  {
    node: "x64",
    name: "x86_64",
    debian: "amd64",
    runtime: "@oven/bun-linux-x64",
    bunTarget: "bun-linux-x64",
    compiler: "x86_64-linux-gnu-gcc",
    compilerPackages: "gcc-x86-64-linux-gnu libc6-dev-amd64-cross",
    elfMachine: 62,
  },
  {
    node: "arm64",
    name: "aarch64",
    debian: "arm64",
    runtime: "@oven/bun-linux-aarch64",
    bunTarget: "bun-linux-arm64",
    compiler: "aarch64-linux-gnu-gcc",
    compilerPackages: "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    elfMachine: 183,
  },
];
