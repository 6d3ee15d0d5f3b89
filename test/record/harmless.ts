import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { memsurge, start } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';

// Whatever a program does with its limits and its rights: what it prints and how it ends is the same recorded as alone.

export const MODES = ['sampled', 'exact'] as const;
export type Mode = (typeof MODES)[number];

const SIGNALS: Readonly<Record<string, number>> = { SIGABRT: 6, SIGSEGV: 11, SIGTERM: 15 };

/** Addresses differ from run to run. */
const comparable = (text: string) => text.replace(/0x[0-9a-f]+/g, 'ADDRESS');

/** Runs `command` alone, then recorded to `output`. */
export async function sameAsAlone(command: readonly string[], mode: Mode, output: string): Promise<void> {
  const alone = await start(command[0], command.slice(1)).finished;
  const recorded = await memsurge('run', '--native', mode, '-o', output, '--', ...command);
  const signal = alone.signal === null ? undefined : 128 + (SIGNALS[alone.signal] ?? 0);
  expect({ status: recorded.status, stdout: comparable(recorded.stdout) }).toEqual({
    status: signal ?? alone.status,
    stdout: comparable(alone.stdout),
  });
}

/** Of the agent's own test programs: what each gives up. */
export const SANDBOXES = [
  ...['strict', 'allow_fewer', 'deny_kill', 'deny_trap', 'all_threads', 'by_argument', 'wide', 'no_tsc'],
];

/** The folder of the agent's test programs, which are built when they are not there. */
export function agentPrograms(): string {
  execFileSync('make', ['--silent', '-C', join(ROOT, 'agent'), 'programs'], { stdio: 'pipe' });
  return join(ROOT, '.build', 'agent', 'test');
}

const cases = process.env.MEMSURGE_CASES;
const compat = cases === undefined ? '' : join(cases, 'attack', 'compat.cpp');

/** Why programs of MEMSURGE_CASES cannot be run. */
export const whyNoCompat = (): string | undefined => (existsSync(compat) ? undefined : 'MEMSURGE_CASES is not set');

/** Builds it into `folder`. */
export function buildCompat(folder: string): string {
  const program = join(folder, 'compat');
  execFileSync('g++', ['-O1', '-g', '-w', '-pthread', '-o', program, compat]);
  for (const word of COMPAT_WORDS) expect(readFileSync(compat, 'utf8')).toContain(`"${word.split(' ')[0]}"`);
  return program;
}

/** Each with its arguments; not those that need a file, a signal or a terminal of their own, and not `fds`. */
export const COMPAT_WORDS = [
  ...['basic', 'closeall', 'sigalloc', 'stackoverflow', 'deep', 'deepmany', 'seccomp-strict', 'seccomp-open'],
  ...['seccomp-open-nothread', 'seccomp-openerr', 'seccomp-misc', 'setuid', 'chroot', 'vfork', 'rawfork', 'clonevm'],
  ...[
    'threads 200',
    'children 200',
    'execchildren 50',
    'huge',
    'api',
    'life',
    'life quick',
    'life abort',
    'life _exit',
  ],
  ...['life mainexit', 'life segv', 'life terminate', 'exc', 'context', 'cancel', 'exec 5', 'clearenv', 'dl', 'rlimas'],
  ...['rlimfsize', 'mlockall', 'sigdfl 15', 'timerslack', 'keys', 'smallstack', 'altsmall'],
];
