import { request } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll } from 'vitest';
import type { TraceList, TraceState } from '../../src/serve/api.ts';
import type { RunningServer } from '../../src/serve/server.ts';
import { until } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';

/** Where the built server is: worker threads need JavaScript. */
export const built = (file: string) => pathToFileURL(join(ROOT, 'dist', 'serve', file));

/** Starts the built server on any free port, until the tests of the calling file are done. */
export async function serve(...paths: string[]): Promise<RunningServer> {
  const { startServer }: typeof import('../../src/serve/server.ts') = await import(built('server.js').href);
  const server = await startServer({ paths, port: 0, version: '1.2.3' });
  afterAll(server.close);
  return server;
}

export interface Got {
  readonly status: number | undefined;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

/** One HTTP request with exactly these headers and exactly this path. */
export function get(url: string, path = '', headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
  const { hostname, port, pathname } = new URL(url);
  return new Promise((resolve, reject) => {
    request({ hostname, port, path: pathname + path, headers, method, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    })
      .on('error', reject)
      .end();
  });
}

export async function getJson<T>(url: string, path: string): Promise<T> {
  return JSON.parse((await get(url, path)).text);
}

/** The states of all traces once none is being read any more. */
export async function whenRead({ url }: RunningServer): Promise<readonly TraceState[]> {
  let { traces } = await getJson<TraceList>(url, 'api/traces');
  await until(async () => {
    ({ traces } = await getJson<TraceList>(url, 'api/traces'));
    return traces.every(({ phase }) => phase !== 'reading');
  });
  return traces;
}
