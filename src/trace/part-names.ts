/** Version of the trace file. A reader refuses what is newer than itself; docs/architecture.md lists the parts. */
export const TRACE_FILE_VERSION = 1;

export const MANIFEST_PART = 'manifest.json';
export const SYMBOLS_PART = 'symbols.json';

/** Parts of native memory, and where the agents write while a recording is not finished. */
export const NATIVE_FOLDER = 'native';
export const AGENTS_FOLDER = 'agents';

const MIB = 2 ** 20;

/** Bytes of a part that are read at most: what is behind them would not fit into memory. Streams are read as they come. */
export function mostBytes(part: string): number {
  if (part === MANIFEST_PART) return 32 * MIB;
  if (part === SYMBOLS_PART) return 128 * MIB;
  if (part.endsWith('.agent')) return 160 * MIB;
  if (part.endsWith('.looks') || part.endsWith('.resident')) return 96 * MIB;
  return /^process\/\d+(-\d+)?\.csv$/.test(part) ? 192 * MIB : 32 * MIB;
}
