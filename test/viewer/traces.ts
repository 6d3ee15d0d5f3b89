import { join } from 'node:path';
import { expect } from 'vitest';
import { serve, whenRead } from '../serve/support.ts';
import { memsurge } from '../support/memsurge.ts';
import { samplePath } from '../support/samples.ts';

/** Serves the traces at `paths` until the tests of the file are done, and gives the page's address once all are read. */
export async function serveRead(...paths: string[]): Promise<string> {
  const server = await serve(...paths);
  await whenRead(server);
  return server.url;
}

/** Records the managed surge into `folder` and gives the trace. */
export const recordStory1 = (folder: string): Promise<string> =>
  record(join(folder, 'story1.memsurge'), ['--native', 'off'], samplePath('story1'), '--size', '10');

/** Records the native surge, every allocation of it, into `folder` and gives the trace. */
export const recordStory2 = (folder: string): Promise<string> =>
  record(join(folder, 'story2.memsurge'), ['--native', 'exact'], samplePath('story2'), '--delay', '30');

/** @throws Error when the recording or the program fails. */
export async function record(trace: string, options: readonly string[], ...program: string[]): Promise<string> {
  const { status, stderr } = await memsurge('run', ...options, '-o', trace, '--', ...program);
  expect(status, stderr).toBe(0);
  return trace;
}
