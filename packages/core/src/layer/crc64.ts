/** Of ECMA-182, the lowest bit first; the upper and the lower half of each entry. */
let tables: { readonly high: Int32Array; readonly low: Int32Array } | undefined;

const POLYNOMIAL = 0xc96c5795d7870f42n;

function makeTables(): { readonly high: Int32Array; readonly low: Int32Array } {
  const high = new Int32Array(256);
  const low = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) value = (value & 1n) === 0n ? value >> 1n : (value >> 1n) ^ POLYNOMIAL;
    high[byte] = Number(value >> 32n) | 0;
    low[byte] = Number(value & 0xffffffffn) | 0;
  }
  return { high, low };
}

/** The CRC-64 that .xz has. */
export class Crc64 {
  #high = -1;
  #low = -1;

  update(bytes: Uint8Array): void {
    tables ??= makeTables();
    const { high: highs, low: lows } = tables;
    let high = this.#high;
    let low = this.#low;
    const { byteLength } = bytes;
    // Asked in each round how long they are, or by the bytes' iterator, Node 20 takes four times as long.
    for (let at = 0; at < byteLength; at++) {
      const index = (low ^ (bytes[at] ?? 0)) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (lows[index] ?? 0);
      high = (high >>> 8) ^ (highs[index] ?? 0);
    }
    this.#high = high;
    this.#low = low;
  }

  /** As .xz writes it. */
  digest(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeInt32LE(~this.#low, 0);
    bytes.writeInt32LE(~this.#high, 4);
    return bytes;
  }
}
