import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_SAMPLE_BYTES, NATIVE_MODES, type NativeMode } from '../record/native/library.ts';

/** What the flags of native recording parse to. */
export interface NativeFlags {
  readonly native?: NativeMode;
  readonly sampleBytes: number;
}

/** The flags of native recording; `standard` says what is done without them. */
export function addNativeOptions(command: Command, standard: string): Command {
  return command
    .addOption(
      new Option(
        '--native <mode>',
        `record native memory: a random sample by bytes, every allocation, or not at all (default: ${standard})`,
      ).choices(NATIVE_MODES),
    )
    .addOption(
      new Option('--sample-bytes <bytes>', 'mean bytes between native samples, where they are sampled')
        .argParser(parseSampleBytes)
        .default(DEFAULT_SAMPLE_BYTES),
    );
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
