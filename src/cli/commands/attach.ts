import { Command } from 'commander';
import { TraceError } from '../../trace/errors.ts';
import { addHelp } from '../help.ts';
import { addNativeOptions, type NativeFlags } from '../native-options.ts';
import type { Shell } from '../shell.ts';

export function attachCommand(shell: Shell, version: string): Command {
  const command = addNativeOptions(new Command('attach'), 'off for .NET, else sampled')
    .summary('record a running process')
    .description(
      'Records a running process until Ctrl-C, the given duration, or its end. The process goes on.\n' +
        'What it allocated before is not in the trace: record from the start with "memsurge run" to see that.\n' +
        'Of a .NET process (8, 9, 10, 11) it records the managed memory, with --native the native memory too: a small ' +
        'library is loaded into it, which stays inert afterwards.\n' +
        'Of another program (x64, glibc) it records the native memory: one of its threads is borrowed for some ' +
        'milliseconds, and loads the library.',
    )
    .argument('<pid|name>', 'pid, or name of a program; for .NET as "memsurge ps" shows it')
    .option('-d, --duration <time>', 'stop after this time, for example 30s, 500ms or 5m')
    .option('-o, --output <file>', 'trace to write (default: NAME-yyyymmdd-hhmmss.memsurge)')
    .option('-f, --force', 'replace an earlier trace of that name')
    .option('--with-source', 'put the source text of the functions seen into the trace')
    .option('--view', 'show the trace in the browser when the recording has stopped, until Ctrl-C')
    .action(async (target: string, options: AttachFlags) => {
      const { attach } = await import('../../record/attach.ts');
      const duration = options.duration === undefined ? undefined : parseDuration(options.duration);
      const { output, force = false, withSource = false, native: mode, sampleBytes } = options;
      const trace = await attach({ target, duration, output, force, withSource, native: { mode, sampleBytes } });
      if (!options.view) return;
      const { serveTraces } = await import('../serve-traces.ts');
      await serveTraces([trace], { port: 0, openBrowser: true, version }, (text) => shell.err(`memsurge: ${text}`));
    });
  return addHelp(
    command,
    shell,
    [],
    [
      'memsurge attach shop',
      'memsurge attach 4711 --duration 30s -o shop.memsurge',
      'memsurge attach shop --native exact --duration 1m',
      'memsurge attach nginx --duration 1m',
      'memsurge attach shop --duration 30s --view',
    ],
  );
}

interface AttachFlags extends NativeFlags {
  readonly duration?: string;
  readonly output?: string;
  readonly force?: true;
  readonly withSource?: true;
  readonly view?: true;
}

const MILLISECONDS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** "30s", "500ms", "1.5m", "2h"; a bare number is seconds. Result in ms. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  const duration = match ? Number(match[1]) * MILLISECONDS[match[2] ?? 's'] : 0;
  // Node's timers hold 31 bits of ms.
  if (duration <= 0 || duration >= 2 ** 31) {
    throw new TraceError(`"${text}" is not a duration; write for example 30s, 500ms, 5m or 2h`);
  }
  return duration;
}
