import { parentPort } from 'node:worker_threads';

/**
 * Stands in for the query worker: "wait" is answered when the trace's shared flag is set, "break" ends the thread, and
 * anything else is answered at once, with all that was asked of this thread and the generation it holds.
 */
const asked = [];
let held;

parentPort.on('message', ({ generation, trace, question }) => {
  if (trace !== undefined) held = { generation, trace };
  asked.push(question);
  if (question === 'break') throw new Error('broken\nwith a second line');
  if (question.startsWith('wait')) Atomics.wait(held.trace.flag, 0, 0);
  parentPort.postMessage({
    status: 200,
    body: JSON.stringify({ asked, held: held.generation, sent: trace !== undefined }),
  });
});
