import type { ManifestProcess } from '../trace/manifest.ts';
import { printable } from '../trace/printable.ts';
import { monotonicNow } from './clock.ts';
import type { RecordingFolder } from './folder.ts';
import type { NativeLooker } from './native/looker.ts';
import type { ProcSampler } from './proc-sampler.ts';
import type { ChunkListener } from './runtime-recorder.ts';

/** The live line on standard error; does nothing where that is not a terminal. */
export interface LiveDisplay {
  /** Feeds the events' figures; undefined when nobody looks. */
  readonly onChunk: ChunkListener | undefined;
  /** Shows what is being done instead of figures. */
  readonly note: (text: string) => void;
  close(): void;
}

const INTERVAL = 250;

/** Shows elapsed time, resident set, GC heap, native live bytes, events and losses of all processes together, when `wanted`. */
export async function showLive(
  folder: RecordingFolder,
  sampler: ProcSampler,
  looker: NativeLooker | undefined,
  wanted: boolean,
): Promise<LiveDisplay> {
  const { stderr } = process;
  const show = (text: string) => stderr.write(`\r\x1b[K${printable(text).slice(0, (stderr.columns || 80) - 1)}`);
  const note = (text: string) => show(`memsurge: ${text}`);
  const clear = () => stderr.write('\r\x1b[K');
  if (!stderr.isTTY) return { onChunk: undefined, note: () => {}, close: () => {} };
  if (!wanted) return { onChunk: undefined, note, close: clear };

  const { createNettraceReader } = await import('../read/nettrace/index.ts');
  const readers = new Map<string, ReturnType<typeof createNettraceReader>>();
  const figures = () => {
    const sum = { events: 0, eventsLost: 0, gcHeapBytes: Number.NaN };
    for (const { progress } of readers.values()) {
      sum.events += progress.events;
      sum.eventsLost += progress.eventsLost;
      // Not known before its first collection.
      if (!Number.isNaN(progress.gcHeapBytes)) sum.gcHeapBytes = (sum.gcHeapBytes || 0) + progress.gcHeapBytes;
    }
    const elapsed = (monotonicNow() - folder.manifest.startTime) / 1e9;
    const lost = sum.eventsLost > 0 ? `, ${sum.eventsLost} lost` : '';
    const figures = [
      `memsurge: ${elapsed.toFixed(0)} s`,
      `RSS ${mebibytes(sampler.rss)}`,
      ...(Number.isNaN(sum.gcHeapBytes) ? [] : [`GC heap ${mebibytes(sum.gcHeapBytes)}`]),
      ...(looker && looker.count > 0 ? [`native live ${mebibytes(looker.liveBytes)}`] : []),
      ...(readers.size > 0 ? [`${sum.events} events${lost}`] : []),
    ];
    return figures.join('  ');
  };
  const timer = setInterval(() => show(figures()), INTERVAL);
  return {
    onChunk(process: ManifestProcess, chunk) {
      let reader = readers.get(process.id);
      if (reader === undefined) {
        reader = createNettraceReader({ summaryOnly: true });
        readers.set(process.id, reader);
      }
      reader.push(chunk);
    },
    note(text) {
      clearInterval(timer);
      note(text);
    },
    close() {
      clearInterval(timer);
      clear();
    },
  };
}

const mebibytes = (bytes: number) => `${(bytes / 1048576).toFixed(0)} MiB`;
