import { describe, expect, test } from 'vitest';
import { code } from '../../src/query/code.ts';
import { facts } from '../../src/query/facts.ts';
import { heap } from '../../src/query/heap.ts';
import { report, reportViews } from '../../src/query/report.ts';
import { timeline } from '../../src/query/timeline.ts';
import { top } from '../../src/query/top.ts';
import { tree } from '../../src/query/tree.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import { NATIVE_KINDS } from '../../src/trace/kinds.ts';
import { type BlindSpot, NONE } from '../../src/trace/tables.ts';
import { DEFAULT_VIEW, type View } from '../../src/trace/view.ts';
import { sectionsOf } from '../../src/wording/findings.ts';
import { headline, nothingText } from '../../src/wording/rows.ts';

const spot = (rest: Partial<BlindSpot>): BlindSpot => ({
  process: NONE,
  kinds: NATIVE_KINDS,
  from: Number.NEGATIVE_INFINITY,
  to: Number.POSITIVE_INFINITY,
  effect: 'absent',
  text: 'native memory was not recorded: --native off',
  ...rest,
});
const NATIVE: View = { ...DEFAULT_VIEW, kinds: ['native-heap'] };
const MANAGED: View = { ...DEFAULT_VIEW, kinds: ['gc-heap'] };

describe('what was not recorded is not "nothing was allocated"', () => {
  const managed = traceFromText('1s  main  soh  T  100  app!Main', { blindSpots: [spot({})] });

  test('a kind that the whole trace lacks', () => {
    for (const answer of [
      top(managed, NATIVE, 'function'),
      tree(managed, NATIVE, 'callees'),
      timeline(managed, NATIVE, 5),
    ]) {
      expect(nothingText(answer)).toBe('Not recorded: native memory was not recorded: --native off.');
      expect(answer.warnings).toContain('native memory was not recorded: --native off');
      expect(headline(answer)).not.toContain('exact');
    }
    // Who asks for what there is need not be told each time.
    expect(top(managed, MANAGED, 'type').warnings).toEqual([]);
    expect(top(managed, DEFAULT_VIEW, 'type').warnings).toEqual([]);
    expect(facts(managed, DEFAULT_VIEW).warnings).toContain('native memory was not recorded: --native off');
    expect(nothingText(top(managed, { ...MANAGED, types: ['none'] }, 'type'))).toBe(
      'Nothing was allocated in this view.',
    );
  });

  test('a kind that memsurge never records', () => {
    const answer = top(managed, { ...DEFAULT_VIEW, kinds: ['stack'] }, 'function');
    expect(nothingText(answer)).toBe('Not recorded: memsurge does not record this kind of memory yet: thread stacks.');
  });

  test('one process of several, from a moment on', () => {
    const trace = traceFromText(
      `
process  1  one  exact
native  1s  main  100 x1  app!Main
process  2  two  exact
native  1s  main  10 x1  app!Main
`,
      {
        blindSpots: [spot({ process: 1, from: 2e9, text: 'native memory was not recorded since its exec at 2.00 s' })],
      },
    );
    const text = 'two (2): native memory was not recorded since its exec at 2.00 s';
    const views: [Partial<View>, boolean][] = [
      [{}, true],
      [{ processes: ['two'] }, true],
      [{ processes: ['one'] }, false],
      [{ to: 1.5e9 }, false],
      [{ from: 3e9 }, true],
    ];
    for (const [view, isTold] of views) {
      expect(top(trace, { ...NATIVE, metric: 'allocated', ...view }, 'function').warnings.includes(text)).toBe(isTold);
    }
    const late = top(trace, { ...NATIVE, metric: 'allocated', processes: ['two'], from: 3e9 }, 'function');
    expect(nothingText(late)).toBe(`Not recorded: ${text}.`);
    const both = top(trace, { ...NATIVE, metric: 'allocated', from: 3e9 }, 'function');
    expect(nothingText(both)).toBe(`Nothing that was recorded is in this view, but not all was: ${text}.`);
  });

  test('the GC heap of a runtime that told nothing, and of a program without one', () => {
    const text = 'no managed memory was recorded: DOTNET_EnableDiagnostics=0 in its environment';
    const silent = traceFromText('process  7  app  none\nnative-allocated  1s  main  100 x1  app!Main', {
      blindSpots: [spot({ process: 0, kinds: ['gc-heap'], text })],
    });
    expect(nothingText(heap(silent, DEFAULT_VIEW))).toContain(text);
    expect(nothingText(top(silent, { ...MANAGED, metric: 'allocated' }, 'type'))).toBe(
      `Not recorded: app (7): ${text}.`,
    );
    const answers = reportViews(silent, DEFAULT_VIEW, false).map((view) => report(silent, view));
    const section = sectionsOf(answers, 3).find(({ title }) => title === 'What was not recorded');
    expect(section?.statements.map((one) => one.text)).toEqual([`app (7): ${text}.`]);
  });
});

test('figures that were contradicted while they were recorded are not exact, and have no error', () => {
  const text =
    '3 blocks came at an address where another still lay: their release was missed, so native figures are not exact';
  const trace = traceFromText(
    `
native-allocated  1s  main  100 x1  app!Main
0.5s  main  soh  T  1000  app!Main
`,
    { blindSpots: [spot({ process: 0, effect: 'inexact', text })] },
  );
  const native = top(trace, { ...NATIVE, metric: 'unreleased' }, 'function');
  expect(headline(native)).toBe(
    'shown 100 B of 100 B · unreleased · error not known'.replace('shown 100 B of 100 B', 'all 100 B'),
  );
  expect(native.warnings).toEqual([`test (1): ${text}`]);
  expect(tree(trace, { ...NATIVE, metric: 'unreleased' }, 'callees').accuracy).toBe('unknown');
  expect(timeline(trace, { ...NATIVE, metric: 'allocated' }, 3).accuracy).toBe('unknown');
  // What it is not about stands.
  expect(top(trace, MANAGED, 'type').accuracy).toBe('exact');
  expect(top(trace, DEFAULT_VIEW, 'kind').accuracy).toBe('unknown');
});

describe('stacks that were cut', () => {
  const trace = traceFromText(`
1s  main  soh  T  900  [stack cut at 100 frames] > app!Descend > app!Alloc
1s  main  soh  T  100  app!Main > app!Alloc
native  1s  main  50 x1  [stack cut at 512 frames] > app!Descend
`);

  test('each answer says what share of its bytes they are', () => {
    const says = (view: View) => top(trace, view, 'function').warnings.join();
    expect(says(MANAGED)).toBe(
      '90.0 % of the bytes have stacks that were cut at 100 frames: what called them further out is not known',
    );
    expect(says(DEFAULT_VIEW)).toContain('90.5 % of the bytes have stacks that were cut at 100 or 512 frames');
    expect(tree(trace, MANAGED, 'callees').rows[0]).toMatchObject({ name: '[stack cut at 100 frames]', share: 0.9 });
    expect(top(trace, MANAGED, 'function').cut).toEqual({ bytes: 900, share: 0.9, limits: [100], isFiltered: false });
    const [answer] = [report(trace, MANAGED)];
    expect(sectionsOf([answer], 3)[0].statements[0].text).toContain(
      '90.0 % of it has stacks that were cut at 100 frames',
    );
  });

  test('a function that is not seen on them is not said to have allocated nothing', () => {
    const answer = top(trace, { ...MANAGED, functions: ['ParseB'] }, 'type');
    expect(nothingText(answer)).toBe(
      'Nothing that was recorded is in this view, but not all was: 90.0 % of the bytes have stacks that were cut at 100 frames, without this filter: what is asked for may stand further out on them.',
    );
    expect(top(trace, { ...MANAGED, functions: ['Main'] }, 'type').warnings.join()).toContain('may stand further out');
    expect(() => code(trace, MANAGED, 'ParseB')).toThrow('stacks were cut, it may stand further out on them');
  });
});
