import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { createAdaptorServer } from '@hono/node-server';
import { messageOf, TraceError } from '../trace/errors.ts';
import { createApp } from './app.ts';
import { createPool } from './pool.ts';
import { loadTraces } from './traces.ts';

export interface ServerOptions {
  readonly paths: readonly string[];
  /** 0: any free one. */
  readonly port: number;
  /** Of memsurge, for the page. */
  readonly version: string;
  /** Folders whose files are shown as source whatever they hold. */
  readonly sourceRoots?: readonly string[];
}

export interface RunningServer {
  /** The page, with the token that opens it. */
  readonly url: string;
  /** Ends the server, its connections and all its threads. */
  close(): Promise<void>;
}

/** So many questions are answered at a time. */
const QUERY_THREADS = 2;

/**
 * Serves the traces at `paths` to this machine alone, and starts to read them.
 * @throws TraceError when the port cannot be had.
 */
export async function startServer({ paths, port, version, sourceRoots = [] }: ServerOptions): Promise<RunningServer> {
  const token = randomBytes(16).toString('hex');
  const traces = loadTraces(paths, script('loader'));
  const pool = createPool(script('query-worker'), QUERY_THREADS, { sourceRoots });
  const app = createApp({ token, version, traces, pool, viewer: new URL('../viewer/', import.meta.url) });
  const server = createAdaptorServer({ fetch: app.fetch });
  const close = async () => {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
    await Promise.all([traces.close(), pool.close()]);
  };
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch (error) {
    await close();
    throw new TraceError(whyNoPort(port, error as NodeJS.ErrnoException));
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${token}/`, close };
}

/** A thread's script lies beside this one. */
const script = (name: string) => new URL(`./${name}${extname(import.meta.url)}`, import.meta.url);

function whyNoPort(port: number, error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE')
    return `port ${port} is in use; give another with --port, or leave it out for any free one`;
  return `cannot listen at port ${port} (${messageOf(error)})`;
}
