/** Version of the trace file. A reader refuses what is newer than itself; docs/architecture.md lists the parts. */
export const TRACE_FILE_VERSION = 2;

export const MANIFEST_PART = 'manifest.json';
export const SYMBOLS_PART = 'symbols.json';

/** Parts of native memory, and where the agents write while a recording is not finished. */
export const NATIVE_FOLDER = 'native';
export const AGENTS_FOLDER = 'agents';

/** What /proc told of the process with this id in the manifest: resident set, images, thread names. */
export const seenParts = (id: string): [rss: string, images: string, threads: string] => [
  `process/${id}.csv`,
  `process/${id}.images.csv`,
  `process/${id}.threads.csv`,
];

/** What belongs to the agent's file `part`: itself, the looks at it, what of it is in memory. */
export const nativeParts = (part: string): [agent: string, looks: string, resident: string] => [
  part,
  part.replace(/\.agent$/, '.looks'),
  part.replace(/\.agent$/, '.resident'),
];

/** The `n`th name where those before are taken: "shop.memsurge", "shop-2.memsurge". */
export const numbered = (path: string, n: number): string => (n === 1 ? path : path.replace(/(\.\w+)?$/, `-${n}$1`));

/** What a trace is called while it is packed from `folder`, which is that recording's alone. */
export const partialOf = (folder: string): string => `${folder}.part`;

const MIB = 2 ** 20;

/** Bytes of a part that are read at most: what is behind them would not fit into memory. Streams are read as they come. */
export function mostBytes(part: string): number {
  if (part === MANIFEST_PART) return 32 * MIB;
  if (part === SYMBOLS_PART) return 128 * MIB;
  if (part.endsWith('.agent')) return 400 * MIB; // of ten million live blocks
  if (part.endsWith('.looks') || part.endsWith('.resident')) return 96 * MIB;
  return /^process\/\d+(-\d+)?\.csv$/.test(part) ? 192 * MIB : 32 * MIB;
}
