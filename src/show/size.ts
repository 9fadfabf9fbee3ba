// Numbers as people read them. Exact values go in, short text comes out; programs get the exact ones (--json).

/** At most three digits that matter, "1.5GB", "64MB", "999B"; not always exact. Units as parseSize() reads them. */
export function formatSize(sizeBytes: number): string {
  let value = sizeBytes;
  let unit = "";
  for (const next of ["K", "M", "G", "T"]) {
    // 999.5 and not 1024, so that rounding never shows "1000MB" or "1023.99KB".
    if (Math.abs(value) < 999.5) break;
    value /= 1024;
    unit = next;
  }
  const decimals = unit === "" || Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2;
  return `${Number(value.toFixed(decimals))}${unit}B`;
}

/** Whole, with a comma between thousands: "1,234,567". */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** "1 event", "1,234 events". */
export function formatNumberOf(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatCount(count)} ${count === 1 ? singular : plural}`;
}
