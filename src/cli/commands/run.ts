import { Command } from 'commander';

export function runCommand(): Command {
  return new Command('run')
    .summary('start a program and record it')
    .description(
      'Starts a program and records the memory of every .NET process in it, until it ends. The program keeps its standard\n' +
        'streams, its signals and its exit code (128 + n when signal n ended it); memsurge itself only writes to stderr.',
    )
    .argument('<command...>', 'the program and its arguments')
    .option('-o, --output <file>', 'trace to write (default: PROGRAM-yyyymmdd-hhmmss.memsurge)')
    .option('--with-source', 'put the source text of the functions seen into the trace', false)
    .passThroughOptions()
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  memsurge run -- dotnet run\n' +
        '  memsurge run -o shop.memsurge -- ./bin/Release/net10.0/shop --port 8080\n' +
        '  memsurge run -- dotnet build -c Release',
    )
    .action(async (command: string[], { output, withSource }: { output?: string; withSource: boolean }) => {
      const { run } = await import('../../record/run.ts');
      process.exitCode = await run({ command, output, withSource });
    });
}
