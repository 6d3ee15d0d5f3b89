export { mergeCaptures } from './merge.ts';
export type { NettraceOptions, NettraceProgress, NettraceReader } from './reader.ts';
export { createNettraceReader, readNettrace } from './reader.ts';
