// Bytes as the kernel lays them out: one field per line, each with the name it has in its header, so that a table of bytes reads like the struct. Little
// endian, as every machine that fsmon is built for.

interface Field {
  name: string;
  at: number;
  bytes: number;
}

export class Bytes {
  private memory = Buffer.alloc(256);
  private used = 0;
  private readonly fields: Field[] = [];

  get length(): number {
    return this.used;
  }

  u8(name: string, value: number): this {
    const at = this.room(name, 1);
    this.memory.writeUInt8(value, at);
    return this;
  }

  u16(name: string, value: number): this {
    const at = this.room(name, 2);
    this.memory.writeUInt16LE(value, at);
    return this;
  }

  u32(name: string, value: number): this {
    const at = this.room(name, 4);
    this.memory.writeUInt32LE(value >>> 0, at);
    return this;
  }

  s32(name: string, value: number): this {
    const at = this.room(name, 4);
    this.memory.writeInt32LE(value, at);
    return this;
  }

  u64(name: string, value: number | bigint): this {
    const at = this.room(name, 8);
    this.memory.writeBigUInt64LE(BigInt(value), at);
    return this;
  }

  /** Text is UTF-8. */
  raw(name: string, value: Uint8Array | readonly number[] | string): this {
    const bytes = typeof value === "string" ? Buffer.from(value) : Uint8Array.from(value);
    const at = this.room(name, bytes.length);
    this.memory.set(bytes, at);
    return this;
  }

  zeros(name: string, count: number): this {
    this.room(name, count);
    return this;
  }

  /** Zeros up to the next multiple of `size`. */
  alignTo(size: number): this {
    return this.zeros("padding", (size - (this.used % size)) % size);
  }

  /** Where the (last) field of that name starts. */
  at(name: string): number {
    return this.field(name).at;
  }

  /** Gives a field another value: a length that is known only at the end, or a lie about one. */
  set(name: string, value: number): this {
    const { at, bytes } = this.field(name);
    if (bytes > 4) throw new Error(`${name} is too long for set()`);
    this.memory.writeUIntLE(value, at, bytes);
    return this;
  }

  /** A copy. */
  done(): Buffer {
    return Buffer.from(this.memory.subarray(0, this.used));
  }

  /** Every field with its offset and bytes, for the message of a failure. */
  describe(): string {
    return this.fields
      .map(
        ({ name, at, bytes }) =>
          `${String(at).padStart(5)} ${name}: ${this.memory.toString("hex", at, at + bytes)}`,
      )
      .join("\n");
  }

  private field(name: string): Field {
    const found = this.fields.findLast((one) => one.name === name);
    if (found === undefined) throw new Error(`No field "${name}" in\n${this.describe()}`);
    return found;
  }

  /** Room for a field at the end. Before `memory` is touched: it may become another one here. */
  private room(name: string, bytes: number): number {
    const at = this.used;
    if (at + bytes > this.memory.length) {
      const larger = Buffer.alloc((at + bytes) * 2);
      larger.set(this.memory);
      this.memory = larger;
    }
    this.used += bytes;
    this.fields.push({ name, at, bytes });
    return at;
  }
}
