// Damages valid bytes in every way that a decoder must survive: random bytes, lengths that lie, cuts. Seeded, so that a failure can be repeated.
import { DecodeError } from "../../src/decode/error.ts";
import { Random } from "../query/random-logs.ts";

/**
 * Decodes damaged copies.
 *
 * @param decode gets bytes of which only [0, length) count; whatever it throws but a DecodeError goes on to the test
 * @returns how many copies were refused
 */
export function refusedOf(
  rounds: number,
  seed: number,
  valid: Uint8Array,
  decode: (bytes: Buffer, length: number) => void,
): number {
  const random = new Random(seed);
  let refused = 0;
  for (let round = 0; round < rounds; round++) {
    const bytes = Buffer.from(valid);
    for (let damage = random.below(4); damage >= 0; damage--) {
      bytes[random.below(bytes.length)] = random.pick([0, 1, 4, 0x7f, 0xff, random.below(256)]);
    }
    const length = random.chance(0.2) ? random.below(valid.length + 1) : valid.length;
    try {
      decode(bytes, length);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      refused++;
    }
  }
  return refused;
}

/** What `decode` makes of bytes[0, length); null when it refuses them. */
export function attempt<T>(decode: () => T): T | null {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
}
