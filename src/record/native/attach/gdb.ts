import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { TraceError } from '../../../trace/errors.ts';
import { howToBeAllowed } from '../../proc.ts';
import { say } from '../../say.ts';
import type { NativePlan } from '../library.ts';
import { checkStarted } from './protocol.ts';
import { safeThread } from './safe-point.ts';
import { type Stage, stageAgent } from './stage.ts';

/** How often to look for a safe moment, and how long to let the process run between two looks, ms. */
const LOOKS = 200;
const PAUSE = 5;
/** How long gdb may take for one command, ms. */
const PATIENCE = 30_000;
const RTLD_NOW = 2;

/**
 * Loads the agent into a running native process by calling `dlopen` in it through gdb, at a moment when the thread that
 * calls is outside the C library and its allocator. Experimental: what cannot be seen from outside (an allocator linked
 * into the program, a signal handler) may still be interrupted. To stop, ask through the agent's file. Gives the folder
 * in which that appears: `directory`, or one of the process's own.
 * @throws TraceError that says in one line why it cannot be.
 */
export async function attachByDebugger(pid: number, plan: NativePlan, directory: string): Promise<string> {
  const stage = await stageAgent(pid, plan, directory);
  try {
    const gdb = await startGdb(pid);
    try {
      say(`experimental: gdb stops process ${pid} for a moment and loads a library into it, which stays there`);
      await stopAtSafePoint(pid, gdb);
      checkStarted(pid, await start(pid, gdb, stage));
    } finally {
      await gdb.end();
    }
    return stage.directory;
  } finally {
    await stage.clear();
  }
}

async function start(pid: number, gdb: Gdb, stage: Stage): Promise<number> {
  for (const library of [stage.library, stage.tlsLibrary]) {
    await gdb.run(`set $agent = ((void *(*)(const char *, int))dlopen)(${JSON.stringify(library)}, ${RTLD_NOW})`);
    if ((await numberOf(pid, gdb, '$agent')) === '0') continue;
    await stage.configure();
    await gdb.run('set $start = ((void *(*)(void *, const char *))dlsym)($agent, "memsurge_attach_start")');
    return Number(await numberOf(pid, gdb, '((int (*)(void))$start)()'));
  }
  throw refusal(pid, `it cannot load ${stage.library}`);
}

async function numberOf(pid: number, gdb: Gdb, expression: string): Promise<string> {
  const text = await gdb.run(`output/d (long)(${expression})`);
  const number = /-?\d+\s*$/.exec(text)?.[0].trim();
  if (number === undefined) throw refusal(pid, `gdb says: ${oneLine(text)}`);
  return number;
}

/** Stops the process, and lets it run again for a moment as long as no thread can be interrupted. */
async function stopAtSafePoint(pid: number, gdb: Gdb): Promise<void> {
  for (let look = 0; look < LOOKS; look++) {
    const text = await gdb.run(`attach ${pid}`);
    if (/not permitted|Could not attach|already traced/i.test(text)) throw refusal(pid, whyNotTraced(text));
    const tid = safeThread(pid);
    if (tid !== undefined) {
      // Only libc's names are needed, and reading all others takes long.
      await gdb.run('sharedlibrary libc');
      const threads = await gdb.run('info threads');
      const number = new RegExp(`^\\*?\\s*(\\d+)\\s.*(?:LWP|process) ${tid}\\b`, 'm').exec(threads)?.[1];
      if (number !== undefined) {
        await gdb.run(`thread ${number}`);
        return;
      }
    }
    await gdb.run('detach');
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  throw refusal(pid, 'all its threads are inside the C library all the time; try again');
}

function whyNotTraced(text: string): string {
  if (/already traced/i.test(text)) return 'a debugger is attached to it';
  let scope = '';
  try {
    scope = readFileSync('/proc/sys/kernel/yama/ptrace_scope', 'utf8').trim();
  } catch {}
  if (scope === '1' || scope === '2') {
    return `kernel.yama.ptrace_scope is ${scope}, so only root may attach a debugger; run memsurge as root, or start the program with memsurge`;
  }
  return `it may not be traced: ${howToBeAllowed()}; or start the program with memsurge`;
}

const refusal = (pid: number, why: string) =>
  new TraceError(`native memory of process ${pid} cannot be recorded: ${why}`);

const oneLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';

interface Gdb {
  /** What gdb prints for a command. */
  run(command: string): Promise<string>;
  /** Lets the process go and ends gdb. */
  end(): Promise<void>;
}

const SETTINGS = [
  'set confirm off',
  'set pagination off',
  'set height 0',
  'set prompt',
  'set print symbol-loading off',
  'set auto-solib-add off',
  'set auto-load off',
  'set debuginfod enabled off',
  // Threads by their ids here, not by what the process's own memory says.
  'set libthread-db-search-path /nonexistent',
  // A signal that arrives in a call of ours must not leave the process in the middle of it.
  'set unwindonsignal on',
];

/** @throws TraceError when there is no gdb. */
async function startGdb(pid: number): Promise<Gdb> {
  // Detached: a Ctrl-C at our terminal must not reach it in the middle of its work. It ends when we do.
  const child = spawn('gdb', ['-q', '-nx', '-nw'], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  let printed = '';
  let wake = () => {};
  let ended = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      printed += text;
      wake();
    });
  }
  child.stdin.on('error', () => {});
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  }).then(() => {
    ended = true;
    wake();
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', () =>
      reject(
        refusal(pid, 'that takes gdb here, which is not installed; install it, or start the program with memsurge'),
      ),
    );
  });

  let number = 0;
  async function run(command: string): Promise<string> {
    const mark = `<<${++number}>>`;
    printed = '';
    const deadline = Date.now() + PATIENCE;
    child.stdin.write(`${command}\necho \\n${mark}\\n\n`);
    while (!printed.includes(mark)) {
      if (ended) throw refusal(pid, `gdb ended: ${oneLine(printed)}`);
      if (Date.now() > deadline) throw refusal(pid, `gdb does not answer: ${oneLine(printed)}`);
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, 100);
      });
    }
    // What goes to stderr has its own way.
    await new Promise((resolve) => setTimeout(resolve, 5));
    return printed.replace(mark, '');
  }

  for (const setting of SETTINGS) await run(setting);
  return {
    run,
    async end() {
      child.stdin.end('detach\nquit\n');
      await closed;
    },
  };
}
