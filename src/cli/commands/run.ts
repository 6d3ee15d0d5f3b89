import { Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_SAMPLE_BYTES, NATIVE_MODES, type NativeMode } from '../../record/native/library.ts';

export function runCommand(): Command {
  return new Command('run')
    .summary('start a program and record it')
    .description(
      'Starts a program and records the memory of every process in it, managed and native, until it ends. The program keeps its standard\n' +
        'streams, its signals and its exit code (128 + n when signal n ended it); memsurge itself only writes to stderr.',
    )
    .argument('<command...>', 'the program and its arguments')
    .option('-o, --output <file>', 'trace to write (default: PROGRAM-yyyymmdd-hhmmss.memsurge)')
    .addOption(
      new Option('--native <mode>', 'record native memory: a random sample by bytes, every allocation, or not at all')
        .choices(NATIVE_MODES)
        .default(undefined, 'sampled'),
    )
    .addOption(
      new Option('--sample-bytes <bytes>', 'mean bytes between native samples')
        .argParser(parseSampleBytes)
        .default(DEFAULT_SAMPLE_BYTES),
    )
    .option('--with-source', 'put the source text of the functions seen into the trace', false)
    .passThroughOptions()
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  memsurge run -- dotnet run\n' +
        '  memsurge run -o shop.memsurge -- ./bin/Release/net10.0/shop --port 8080\n' +
        '  memsurge run -- dotnet build -c Release\n' +
        '  memsurge run --native exact -- ./server --port 8080',
    )
    .action(async (command: string[], { output, withSource, native, sampleBytes }: RunFlags) => {
      const { run } = await import('../../record/run.ts');
      process.exitCode = await run({ command, output, withSource, native: { mode: native, sampleBytes } });
    });
}

interface RunFlags {
  readonly output?: string;
  readonly withSource: boolean;
  readonly native?: NativeMode;
  readonly sampleBytes: number;
}

/** Below this every small block is sampled, at the price of `exact` without its certainty. */
const LEAST_SAMPLE_BYTES = 256;

function parseSampleBytes(text: string): number {
  const bytes = Number(text);
  if (!/^\d+$/.test(text) || bytes < LEAST_SAMPLE_BYTES || bytes > 2 ** 40) {
    throw new InvalidArgumentError(
      `Give a whole number of bytes from ${LEAST_SAMPLE_BYTES} on; for all use --native exact.`,
    );
  }
  return bytes;
}
