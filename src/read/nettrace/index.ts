export { mergeCaptures } from './merge.ts';
export type { NettraceOptions } from './reader.ts';
export { createNettraceReader, readNettrace } from './reader.ts';
