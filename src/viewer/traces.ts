import { computed, signal } from '@preact/signals';
import type { TraceState } from '../serve/api.ts';
import { askTraces, connected, generation } from './answers.ts';
import { place } from './place.ts';

/** All traces the server holds, the version of memsurge that serves them, and how far each is read. */
export const traces = signal<readonly TraceState[]>([]);
export const serverVersion = signal('');
export const trace = computed(() => traces.value.find(({ id }) => id === place.value.trace));

const POLL_MS = 200;
const RECONNECT_MS = 2000;

/** Follows the reading until every trace is read or failed; what was asked of less is asked again. */
export function watchTraces(): void {
  const look = async (): Promise<void> => {
    try {
      const list = await askTraces();
      traces.value = list.traces;
      serverVersion.value = list.version;
      generation.value = list.traces.reduce((sum, one) => sum + one.generation, 0);
      if (list.traces.some(({ phase }) => phase === 'reading')) setTimeout(look, POLL_MS);
    } catch {
      setTimeout(look, RECONNECT_MS);
    }
  };
  void look();
  connected.subscribe((isConnected) => {
    if (!isConnected) setTimeout(look, RECONNECT_MS);
  });
}
