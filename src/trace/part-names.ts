/** Version of the trace file. A reader refuses what is newer than itself; docs/architecture.md lists the parts. */
export const TRACE_FILE_VERSION = 1;

export const MANIFEST_PART = 'manifest.json';
export const SYMBOLS_PART = 'symbols.json';

/** Parts of native memory, and where the agents write while a recording is not finished. */
export const NATIVE_FOLDER = 'native';
export const AGENTS_FOLDER = 'agents';
