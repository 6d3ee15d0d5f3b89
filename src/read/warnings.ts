import { listed } from '../trace/listed.ts';
import type { ManifestProcess } from '../trace/manifest.ts';

/** Collects what goes wrong while a recording is read. */
export interface Warnings {
  /** A sentence about the whole recording. */
  add(text: string): void;
  /** Says `text` of a process; what holds of several processes is said once. */
  addOf(process: ManifestProcess, text: string): void;
  /** All of them: of the recording, then of processes. */
  list(): string[];
}

export function createWarnings(first: readonly string[]): Warnings {
  const general = [...first];
  const processesOf = new Map<string, Set<string>>();
  return {
    add(text) {
      general.push(text);
    },
    addOf({ name, pid }, text) {
      const names = processesOf.get(text) ?? new Set();
      processesOf.set(text, names.add(`${name} (${pid})`));
    },
    list: () => [...general, ...Array.from(processesOf, ([text, names]) => `${listed([...names])}: ${text}`)],
  };
}
