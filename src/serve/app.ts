import { readFile } from 'node:fs/promises';
import { type Context, Hono } from 'hono';
import { compress } from 'hono/compress';
import { NOT_FOUND, refusal } from './guard.ts';
import { lineOf, type Reply } from './messages.ts';
import type { QueryPool } from './pool.ts';
import type { Traces } from './traces.ts';

/** What the routes work on. */
export interface Served {
  /** First segment of every path. */
  readonly token: string;
  readonly version: string;
  readonly traces: Traces;
  readonly pool: QueryPool;
  /** Folder of the built page. */
  readonly viewer: URL;
}

/** Sent with everything, refusals too. */
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

/** The files of the page: nothing else is read from the disk by its path. */
const VIEWER_FILES: Record<string, string> = {
  'index.html': 'text/html; charset=utf-8',
  'app.js': 'text/javascript; charset=utf-8',
  'app.css': 'text/css; charset=utf-8',
};

const NO_VIEWER = `<!doctype html><meta charset="utf-8"><title>memsurge</title>
<p>The page of memsurge was not built; run "npm run setup" in its folder and reload.</p>
`;

/** All routes; `api.ts` says what they answer. */
export function createApp({ token, version, traces, pool, viewer }: Served): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(HEADERS)) c.header(name, value);
  });
  app.use(async (c, next) => {
    const refused = refusal(
      {
        method: c.req.method,
        path: c.req.path,
        host: c.req.header('host'),
        origin: c.req.header('origin'),
        fetchSite: c.req.header('sec-fetch-site'),
        fetchMode: c.req.header('sec-fetch-mode'),
      },
      token,
    );
    return refused === undefined ? next() : c.text(refused.text, refused.status);
  });
  app.use(compress());
  app.notFound((c) => c.text(NOT_FOUND, 404));
  app.onError((error, c) => c.json({ error: lineOf(error) }, 500));

  app.get('/:token', (c) => c.redirect(`/${token}/`));
  app.get('/:token/', (c) => page(c, viewer, 'index.html'));
  for (const name of Object.keys(VIEWER_FILES)) app.get(`/:token/${name}`, (c) => page(c, viewer, name));
  app.get('/:token/api/traces', (c) => c.json({ version, traces: traces.states() }));
  app.get('/:token/api/traces/:id/:question', async (c) => {
    const { status, body } = await answer(traces, pool, c);
    return c.body(body, status, { 'Content-Type': 'application/json' });
  });
  return app;
}

async function page(c: Context, viewer: URL, name: string): Promise<Response> {
  try {
    return c.body(await readFile(new URL(name, viewer), 'utf8'), 200, { 'Content-Type': VIEWER_FILES[name] });
  } catch {
    return name === 'index.html' ? c.html(NO_VIEWER, 503) : c.text(NOT_FOUND, 404);
  }
}

async function answer(traces: Traces, pool: QueryPool, c: Context): Promise<Reply> {
  const { id, question } = c.req.param();
  const refuse = (status: Reply['status'], error: string): Reply => ({ status, body: JSON.stringify({ error }) });
  const trace = traces.find(id);
  if (trace === undefined) return refuse(404, `there is no trace ${id}`);
  if (trace.generation === 0) return refuse(409, trace.state.error ?? 'nothing of this trace is read yet');
  const { search } = new URL(c.req.url);
  // Whoever asked has gone when it is undefined, so nobody reads this.
  return (await pool.ask(trace, question, search, c.req.raw.signal)) ?? refuse(503, 'no longer asked for');
}
