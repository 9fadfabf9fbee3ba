// A set of a tree's nodes, which are small numbers: one bit each, where a Set takes 40 bytes.

export class NodeSet {
  private bits = new Uint8Array(1024);

  add(node: number): void {
    const at = node >>> 3;
    if (at >= this.bits.length) {
      const larger = new Uint8Array(Math.max(at + 1, this.bits.length * 2));
      larger.set(this.bits);
      this.bits = larger;
    }
    this.bits[at]! |= 1 << (node & 7);
  }

  clear(): void {
    this.bits = new Uint8Array(1024);
  }

  has(node: number): boolean {
    return ((this.bits[node >>> 3] ?? 0) & (1 << (node & 7))) !== 0;
  }
}
