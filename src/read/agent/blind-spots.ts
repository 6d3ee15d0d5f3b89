import { type Kind, NATIVE_KINDS as NATIVE } from '../../trace/kinds.ts';
import { plural } from '../../trace/plural.ts';
import type { RawBlindSpot } from '../assemble.ts';
import { always } from '../blind-spots.ts';
import type { AgentCapture } from './capture.ts';

const HEAP: readonly Kind[] = ['native-heap'];

const count = (value: number, what: string) => `${value} ${plural(value, what)}`;

/** What the agent's figures cannot tell: what it lost, and what contradicts them. `startTime` of the recording, monotonic ns. */
export function nativeBlindSpots(capture: AgentCapture, startTime: number): RawBlindSpot[] {
  const { start, shadowed, sandboxed, strangers, became, losses, isCut, sites, mode, samples } = capture;
  const spots: RawBlindSpot[] = [];
  const say = (kinds: readonly Kind[], effect: RawBlindSpot['effect'], text: string) =>
    spots.push(always(effect, kinds, text));
  if (shadowed) {
    const what = 'its native heap was not recorded, but for what the allocator itself maps';
    say(HEAP, 'absent', `another allocator comes before ours (static or first in LD_PRELOAD): ${what}`);
  }
  if (became !== undefined) {
    const when = `${((became.time - startTime) / 1e9).toFixed(2)} s`;
    const text = `native memory was not recorded since its exec${became.path === '' ? '' : ` of ${became.path}`} at ${when}: ${became.why}`;
    spots.push({ ...always('absent', NATIVE, text), from: became.time });
  }
  if (strangers.count > 0) {
    const { path, why } = strangers.last;
    const are = plural(strangers.count, 'process that is', 'processes that are');
    const last = path === '' ? '' : `; the last was ${path}`;
    say(NATIVE, 'note', `it started ${strangers.count} ${are} in no native figure${last}: ${why}`);
  }
  if (losses.droppedCount > 0) {
    const what = `${count(losses.droppedCount, 'block')} of ${count(losses.droppedBytes, 'byte')}`;
    const are = plural(losses.droppedCount, 'is', 'are');
    const why = sandboxed ? ' (the program gave up the system calls for that: seccomp)' : '';
    say(
      NATIVE,
      'inexact',
      `the agent's file could not grow${why}, so ${what} ${are} missing: native figures are too low`,
    );
  }
  if (isCut) say(NATIVE, 'inexact', 'a part of what its agent recorded is not there: native figures are too low');
  if (losses.missedFreeCount > 0) {
    const what = `${count(losses.missedFreeCount, 'block')} came at an address where another still lay`;
    say(HEAP, 'inexact', `${what}: a release was missed, so native figures are not exact`);
  }
  if (losses.skippedCount > 0) {
    const what = `${losses.skippedCount} times native memory was allocated or released where the agent must not record`;
    say(NATIVE, 'inexact', `${what}: that is in no figure`);
  }
  if (losses.unknownFreedCount > 0) {
    const what = `${count(losses.unknownFreedCount, 'native block')}`;
    const were = plural(losses.unknownFreedCount, 'was', 'were');
    if (start === 'attach') {
      say(HEAP, 'note', `${what} from before the recording ${were} released since, and in no figure`);
    } else if (start === 'fork') {
      say(HEAP, 'note', `${what} of its parent, from before the fork, ${were} released, and in no figure`);
    } else {
      say(HEAP, 'inexact', `${what} ${were} released whose allocation was not seen: native figures are too low`);
    }
  }
  if (losses.stacklessCount > 0) {
    const have = plural(
      losses.stacklessCount,
      'has no stack and counts under its',
      'have no stack and count under their',
    );
    say(NATIVE, 'note', `${count(losses.stacklessCount, 'native allocation')} ${have} thread`);
  }
  const share = sites.broken / Math.max(1, sites.length);
  if (share > 0.01) {
    say(NATIVE, 'note', `${(share * 100).toFixed(1)} % of the native stacks do not reach their thread's root`);
  }
  if (mode === 'sampled' && new Set(samples.meanBytes).size > 1) {
    say(HEAP, 'note', 'native sampling was thinned out as the recording grew; the error stated takes account of it');
  }
  return spots;
}
