/** Figures as text for a person: three significant digits, binary units. Exact figures are in `--json`. */

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
const COUNT_UNITS = ['', 'k', 'M', 'G', 'T'];

/** "2.93 GiB", "0 B", "-1.50 KiB". */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1024, BYTE_UNITS);
}

/** Stands for a figure that a trace does not tell. */
export const UNKNOWN = '–';

export function knownBytes(bytes: number | null): string {
  return bytes === null ? UNKNOWN : formatBytes(bytes);
}

/** "30", "4.00 k", "1.23 M"; of an estimate whole ones, for there are no fractions of objects. */
export function formatCount(count: number): string {
  if (Math.abs(count) < 0.5) return count === 0 ? '0' : '<1';
  return scaled(Math.abs(count) < 999.5 ? Math.round(count) : count, 1000, COUNT_UNITS).trimEnd();
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let size = Math.abs(value);
  let unit = 0;
  // From 999.5 on three digits would read 1000.
  while (size >= 999.5 && unit < units.length - 1) {
    size /= base;
    unit++;
  }
  const digits = unit === 0 && (Number.isInteger(size) || size >= 100) ? size.toFixed(0) : threeDigits(size);
  return `${value < 0 && Number(digits) !== 0 ? '-' : ''}${digits} ${units[unit]}`;
}

/** "2.93", "29.3", "293", "0.977": never in powers of ten. */
function threeDigits(size: number): string {
  if (size === 0) return '0';
  const decimals = 2 - Math.floor(Math.log10(size));
  return size.toFixed(Math.max(0, Math.min(decimals, 3)));
}

/** A part of the whole: "97.6 %", "100 %", "<0.1 %". */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent === 0) return '0 %';
  if (Math.abs(percent) < 0.1) return '<0.1 %';
  const text = percent.toFixed(1);
  // 99.97 must not read as all of it.
  if (text === '100.0') return share === 1 || Math.abs(share - 1) < 1e-9 ? '100 %' : '>99.9 %';
  return `${text} %`;
}

/** Relative 95 % half-width: "±0.3 %", "±84 %"; "exact" without one. */
export function formatError(error: number | null | undefined): string {
  if (error === undefined) return 'exact';
  if (error === null) return 'not known';
  const percent = error * 100;
  if (percent < 0.05) return '±<0.1 %';
  return `±${percent < 10 ? percent.toFixed(1) : percent.toFixed(0)} %`;
}

/** A moment or a length of time, from ns: "1.23 s", "300 ms", "2 min 5 s", "3 h 20 min". */
export function formatTime(ns: number): string {
  if (ns === 0) return '0 s';
  if (ns < 1e3) return `${ns.toFixed(0)} ns`;
  if (ns < 999.5e3) return `${threeDigits(ns / 1e3)} µs`;
  if (ns < 999.5e6) return `${threeDigits(ns / 1e6)} ms`;
  if (ns < 100e9) return `${threeDigits(ns / 1e9)} s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
