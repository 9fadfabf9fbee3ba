// Whether a binary is what its name says: its ELF header, and the glibc that it and the helper inside it ask for.
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { glibcNeeded } from "../build/compile-binary.ts";
import { Obstacle } from "../setup/step.mjs";
import type { Architecture } from "./architecture.ts";

export interface ElfHeader {
  /** 64 bits, little endian, for Linux or System V. */
  readonly fits: boolean;
  /** e_machine. */
  readonly machine: number;
  /** 2: fixed address, 3: position independent. */
  readonly type: number;
}

/** @returns null for what is no ELF file at all */
export function readElfHeader(bytes: Buffer): ElfHeader | null {
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46) return null;
  const [elfClass, data, version, abi] = [bytes[4], bytes[5], bytes[6], bytes[7]!];
  const fits = elfClass === 2 && data === 1 && version === 1 && (abi === 0 || abi === 3);
  return { fits, type: bytes.readUInt16LE(16), machine: bytes.readUInt16LE(18) };
}

/**
 * @returns the oldest glibc that the binary runs on: the runtime's own need
 * @throws {Obstacle} where the format is another one, or the helper asks for more than the runtime
 */
export function checkBinary(binary: string, helper: string, architecture: Architecture): string {
  for (const file of [binary, helper]) {
    const header = readElfHeader(headOf(file));
    if (header === null || !header.fits || header.machine !== architecture.elfMachine) {
      throw new Obstacle(
        `"${file}" is no program for ${architecture.name} (ELF machine ${header?.machine ?? "none"})`,
        "remove build/ and start again",
      );
    }
  }
  const [wanted, most] = [glibcNeeded(readFileSync(helper)), runtimeGlibc(binary)];
  if (Number(wanted.slice(2)) > Number(most.slice(2))) {
    throw new Obstacle(
      `The helper for ${architecture.name} asks for glibc ${wanted}, the runtime only for ${most}`,
      "c/fanhelp.c calls something that glibc added later: bind the older version, or call the kernel",
    );
  }
  return most;
}

/** By the version references of its dynamic section: all of the runtime's text would be full of look-alikes. */
export function runtimeGlibc(binary: string): string {
  const bytes = readFileSync(binary);
  let newest = 0;
  for (const name of neededVersions(bytes)) {
    const minor = /^GLIBC_2\.(\d+)/.exec(name)?.[1];
    if (minor !== undefined) newest = Math.max(newest, Number(minor));
  }
  return `2.${newest}`;
}

const SHT_GNU_VERNEED = 0x6ffffffe;

/** The names of all symbol versions that a 64-bit little-endian ELF file needs (Elf64_Verneed, Elf64_Vernaux). */
export function neededVersions(bytes: Buffer): string[] {
  const sectionsAt = Number(bytes.readBigUInt64LE(40));
  const [entryBytes, count] = [bytes.readUInt16LE(58), bytes.readUInt16LE(60)];
  const section = (index: number) => {
    const at = sectionsAt + index * entryBytes;
    return {
      type: bytes.readUInt32LE(at + 4),
      offset: Number(bytes.readBigUInt64LE(at + 24)),
      link: bytes.readUInt32LE(at + 40),
      info: bytes.readUInt32LE(at + 44),
    };
  };
  const names: string[] = [];
  for (let index = 0; index < count; index++) {
    const { type, offset, link, info } = section(index);
    if (type !== SHT_GNU_VERNEED) continue;
    const strings = section(link).offset;
    let at = offset;
    for (let file = 0; file < info; file++) {
      let auxiliary = at + bytes.readUInt32LE(at + 8);
      for (let left = bytes.readUInt16LE(at + 2); left > 0; left--) {
        const nameAt = strings + bytes.readUInt32LE(auxiliary + 8);
        names.push(bytes.toString("latin1", nameAt, bytes.indexOf(0, nameAt)));
        auxiliary += bytes.readUInt32LE(auxiliary + 12);
      }
      at += bytes.readUInt32LE(at + 12);
    }
  }
  return names;
}

function headOf(file: string): Buffer {
  const head = Buffer.alloc(64);
  const fd = openSync(file, "r");
  try {
    return head.subarray(0, readSync(fd, head));
  } finally {
    closeSync(fd);
  }
}
