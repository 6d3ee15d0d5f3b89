import { type Kind, NATIVE_KINDS } from '../trace/kinds.ts';
import { NONE } from '../trace/tables.ts';
import type { ProcessInput, RawBlindSpot, RecordingFacts } from './assemble.ts';
import type { ProcessCapture } from './nettrace/capture.ts';

/** A blind spot of the whole time. */
export function always(effect: RawBlindSpot['effect'], kinds: readonly Kind[], text: string): RawBlindSpot {
  return { kinds, from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY, effect, text };
}

/** What of a process is not in the recording at all, and what its runtime does not tell; known when everything is read. */
export function missingOf(process: ProcessInput, facts: RecordingFacts): RawBlindSpot[] {
  if (facts.preview) return [];
  const said = [...facts.blindSpots, ...process.blindSpots].filter(({ effect }) => effect === 'absent');
  const isSaid = (kind: Kind) => said.some(({ kinds }) => kinds.includes(kind));
  const why = facts.isUnfinished ? UNFINISHED : 'no agent began in it';
  const native =
    process.native.length > 0 || isSaid('native-heap')
      ? []
      : [always('absent', NATIVE_KINDS, `native memory was not recorded: ${why}`)];
  return [...native, ...(isSaid('gc-heap') ? [] : managed(process, facts))];
}

const UNFINISHED =
  'the recording was not finished (its recorder was ended, or its disk was full), and nothing of it was kept';
const GC_HEAP: readonly Kind[] = ['gc-heap'];
const RUNTIME = /\/(libcoreclr\.so|System\.Private\.CoreLib\.dll)$/;

function managed(
  { capture, runtime, images, native, diagnosticsOff }: ProcessInput,
  facts: RecordingFacts,
): RawBlindSpot[] {
  const absent = (why: string) => [always('absent', GC_HEAP, `no managed memory was recorded: ${why}`)];
  if (capture === undefined) {
    if (runtime !== '') return absent('nothing that its runtime told can be read');
    const paths = [...images, ...native.flatMap((one) => one.capture.modules)].map(({ path }) => path);
    if (!paths.some((path) => RUNTIME.test(path))) return [];
    if (facts.isUnfinished) return absent(UNFINISHED);
    if (diagnosticsOff === '')
      return absent('its .NET runtime did not connect, so its diagnostics are off, or it ended at once');
    return absent(`${diagnosticsOff} in its environment keeps its .NET runtime from telling anything`);
  }
  if (capture.allocationSource === 'none') {
    if (!capture.isWhole) return absent('its allocation events were lost, or are damaged');
    if (facts.source === 'memsurge') {
      return absent('none of its allocations was sampled, so up to some 370 KiB may have been allocated');
    }
    return absent(
      'the trace has no allocation events of it; record with memsurge, or with dotnet-trace --profile gc-verbose',
    );
  }
  return isAheadOfTime(capture)
    ? [
        always(
          'note',
          GC_HEAP,
          'it was compiled ahead of time (NativeAOT): its runtime tells neither types nor stacks, so of managed memory it is known how much, in which heap and thread, and not of what and by whom',
        ),
      ]
    : [];
}

/** The runtime of a program compiled ahead of time writes "NULL" for every type, and no stacks. */
function isAheadOfTime({ allocations, types, modules }: ProcessCapture): boolean {
  const hasRuntime = modules.some(({ path }) => RUNTIME.test(path));
  return (
    !hasRuntime &&
    types.every(({ name }) => name === 'NULL' || name === '') &&
    allocations.stack.every((stack) => stack === NONE)
  );
}

/** Below this share, frames without a name are not spoken of. */
const UNNAMED_SHARE = 0.01;

/** What has no name of the code that allocated managed memory, and why. */
export function unnamed(
  { code }: ProcessCapture,
  {
    frames,
    unresolved,
    bytes,
    bytesUnnamed,
  }: { readonly frames: number; readonly unresolved: number; readonly bytes: number; readonly bytesUnnamed: number },
): RawBlindSpot[] {
  if (unresolved / Math.max(1, frames) < UNNAMED_SHARE) return [];
  const percent = (part: number, whole: number) => `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;
  const why =
    code.length === 0
      ? 'the trace holds no events that name methods (no rundown)'
      : 'their code was not reported, or its image could not be read';
  const what = `${percent(unresolved, frames)} of the frames of managed stacks have no name, and so have the functions that allocated ${percent(bytesUnnamed, bytes)} of the bytes`;
  return [always('note', GC_HEAP, `${what}: ${why}`)];
}
