import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../test/support/root.ts';

/** `memsurge view` in a process of its own. Times are ms since it was started. */
export interface ViewServer {
  readonly url: string;
  readonly toFirstByte: number;
  /** Waits until the whole trace is read. */
  ready(): Promise<void>;
  /** Asks and reads the answer to its end. @throws Error unless it is an answer */
  ask(question: string, params: URLSearchParams): Promise<unknown>;
  age(): number;
  /** Resident set now and at its highest, MB. */
  memory(): { now: number; peak: number };
  stop(): Promise<void>;
}

export async function startViewServer(trace: string): Promise<ViewServer> {
  const startedAt = performance.now();
  const age = () => performance.now() - startedAt;
  const server = spawn(process.execPath, [join(ROOT, 'bin', 'memsurge.js'), 'view', trace, '--no-open'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await urlOf(server);
  const page = (await fetch(url)).body!.getReader();
  await page.read();
  const toFirstByte = age();
  await page.cancel();

  return {
    url,
    toFirstByte,
    age,
    async ready() {
      for (;;) {
        const { traces } = (await (await fetch(`${url}api/traces`)).json()) as { traces: { phase: string }[] };
        if (traces[0].phase === 'ready') return;
        if (traces[0].phase === 'failed') throw new Error(JSON.stringify(traces[0]));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async ask(question, params) {
      const response = await fetch(`${url}api/traces/0/${question}?${params}`);
      const body = (await response.json()) as { answer: unknown };
      if (!response.ok) throw new Error(`${question}?${params}: ${JSON.stringify(body)}`);
      return body.answer;
    },
    memory() {
      const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
      const field = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)![1]) / 1024;
      return { now: Math.round(field('VmRSS')), peak: Math.round(field('VmHWM')) };
    },
    async stop() {
      server.kill('SIGTERM');
      await once(server, 'exit');
    },
  };
}

async function urlOf(server: ChildProcess): Promise<string> {
  let said = '';
  for await (const chunk of server.stdout!) {
    said += chunk;
    const url = /http:\S+/.exec(said)?.[0];
    if (url !== undefined) return url;
  }
  throw new Error(`memsurge view ended: ${said}`);
}
