// What every decoder throws when bytes from the kernel contradict themselves: where, what was claimed, what
// was there.
export class DecodeError extends Error {
  readonly offset: number;

  constructor(what: string, offset: number, claimedBytes: number, availableBytes: number) {
    super(`${what} at offset ${offset} claims ${claimedBytes} bytes, ${availableBytes} are there`);
    this.name = "DecodeError";
    this.offset = offset;
  }
}
