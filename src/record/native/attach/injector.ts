import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { withTimeout } from '../../runtime-recorder.ts';
import type { NativePlan } from '../library.ts';

/**
 * The program that lays the agent where a running process can see it, and may have the process load it: agent/inject. It is
 * a process and session of its own, lets the process go and cleans up whatever happens to us, and ends by itself in time.
 */
export interface Injector {
  /** The next line it says, its first word and the rest. @throws Error when it says none in time. */
  next(): Promise<{ readonly word: string; readonly text: string }>;
  /** Tells it that the agent is loaded. */
  loaded(): void;
  /** Has it take away what it laid, and waits for that. */
  end(): Promise<void>;
}

/** It gives up by itself before this, ms. */
const PATIENCE = 40_000;
const LAST_PATIENCE = 5_000;

/** `does`: only lay the agent, or also load it. `directory` is where the agent should make its file. */
export function startInjector(
  does: 'lay' | 'load',
  pid: number,
  { library, mode, sampleBytes }: NativePlan,
  directory: string,
): Injector {
  const libraries = dirname(resolve(library));
  const child = spawn(
    join(libraries, 'memsurge-inject'),
    [does, `${pid}`, resolve(directory), libraries, `${mode},${sampleBytes}`],
    // Its own session: Ctrl-C and the end of the terminal are not for it.
    { cwd: '/', detached: true, stdio: ['pipe', 'pipe', 'ignore'] },
  );
  child.stdin.on('error', () => {});
  const ended = new Promise<void>((settle) => {
    child.once('exit', () => settle());
    child.once('error', () => settle());
  });
  // Not its exit, which can be seen before its last words are read; one that could not be started has no words.
  const isSilent = new Promise<void>((settle) => {
    child.once('close', () => settle());
    child.once('error', () => settle());
  });
  const lines = createInterface({ input: child.stdout });
  const said: string[] = [];
  lines.on('line', (line) => said.push(line));

  return {
    async next() {
      const more = said.length > 0 || once(lines, 'line');
      if (!(await withTimeout(Promise.race([more, isSilent]), PATIENCE))) child.kill('SIGKILL');
      const line = said.shift();
      if (line === undefined) throw new Error('the injector ended without a word');
      const space = line.indexOf(' ');
      return { word: line.slice(0, space), text: line.slice(space + 1) };
    },
    loaded() {
      child.stdin.write('\n');
    },
    async end() {
      child.stdin.end();
      // What it does is safe to break off: the kernel lets go of what it holds.
      if (!(await withTimeout(ended, LAST_PATIENCE))) child.kill('SIGKILL');
    },
  };
}
