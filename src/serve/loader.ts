import { parentPort, workerData } from 'node:worker_threads';
import { openTrace } from '../read/open.ts';
import { shareTrace } from '../trace/share.ts';
import { type LoaderMessage, lineOf } from './messages.ts';

/** A worker thread that opens one trace, tells what it knows as soon as it does, and ends. */

const post = (message: LoaderMessage) => parentPort?.postMessage(message);

try {
  const trace = await openTrace(workerData as string, {
    onProgress: ({ text, fraction }) => post({ about: 'progress', text, fraction }),
    onPreview: (preview) => post({ about: 'preview', trace: shareTrace(preview) }),
  });
  post({ about: 'complete', trace: shareTrace(trace) });
} catch (error) {
  post({ about: 'failed', error: lineOf(error) });
}
