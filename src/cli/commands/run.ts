import { Command } from 'commander';
import { addHelp } from '../help.ts';
import { addNativeOptions, type NativeFlags } from '../native-options.ts';
import type { Shell } from '../shell.ts';

export function runCommand(shell: Shell, version: string): Command {
  const command = addNativeOptions(new Command('run'), 'sampled')
    .summary('start a program and record it')
    .description(
      'Starts a program and records the memory of every process in it, managed and native, until it ends. The program ' +
        'keeps its standard streams, its signals and its exit code (128 + n when signal n ended it); memsurge itself ' +
        'only writes to stderr.',
    )
    .argument('<command...>', 'the program and its arguments')
    .option('-o, --output <file>', 'trace to write (default: PROGRAM-yyyymmdd-hhmmss.memsurge)')
    .option('-f, --force', 'replace an earlier trace of that name')
    .option('--with-source', 'put the source text of the functions seen into the trace')
    .option('--view', 'show the trace in the browser when the program has ended, until Ctrl-C')
    .passThroughOptions()
    .action(async (command: string[], { output, force, withSource, view, native, sampleBytes }: RunFlags) => {
      const { run } = await import('../../record/run.ts');
      const { code, trace } = await run({
        command,
        output,
        force: force ?? false,
        withSource: withSource ?? false,
        native: { mode: native, sampleBytes },
      });
      process.exitCode = code;
      if (!view) return;
      const { serveTraces } = await import('../serve-traces.ts');
      // Standard output is the program's.
      await serveTraces([trace], { port: 0, openBrowser: true, version }, (text) => shell.err(`memsurge: ${text}`));
    });
  return addHelp(
    command,
    shell,
    [],
    [
      'memsurge run -- dotnet run',
      'memsurge run -o shop.memsurge -- ./bin/Release/net10.0/shop --port 8080',
      'memsurge run -- dotnet build -c Release',
      'memsurge run --native exact -- ./server --port 8080',
      'memsurge run --view -- dotnet run',
    ],
  );
}

interface RunFlags extends NativeFlags {
  readonly output?: string;
  readonly force?: true;
  readonly withSource?: true;
  readonly view?: true;
}
