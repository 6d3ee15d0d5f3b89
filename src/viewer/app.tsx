import { computed } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { connected } from './answers.ts';
import { bindKeys } from './keys.ts';
import { CallTree } from './panes/call-tree.tsx';
import { Callers } from './panes/callers.tsx';
import { Code } from './panes/code.tsx';
import { DimensionTable } from './panes/dimension-table.tsx';
import { Filters } from './panes/filters.tsx';
import { Findings } from './panes/findings.tsx';
import { Flame } from './panes/flame.tsx';
import { Header } from './panes/header.tsx';
import { Heap } from './panes/heap.tsx';
import { Hotspots } from './panes/hotspots.tsx';
import { Recording } from './panes/recording.tsx';
import { Timeline } from './panes/timeline.tsx';
import { badUrl, changeView, go, place, TABS, type Tab, view } from './place.ts';
import { trace, traces } from './traces.ts';
import { Splitter, sizes } from './widgets/split.tsx';

const NAMES = Object.keys(TABS) as Tab[];
const tab = computed(() => place.value.tab);

/** One screen: what is looked at above, when below it, then filters, the pane of the tab, and the code. */
export function App(): JSX.Element {
  useEffect(() => bindKeys(...globalKeys()), []);
  const name = trace.value?.name;
  useEffect(() => {
    document.title = name === undefined ? 'memsurge' : `${name} · memsurge`;
  }, [name]);
  const { timeline, filters, code, codeBelow } = sizes.value;
  const columns = `${filters}px 5px minmax(0, 1fr) 5px ${code}px`;
  return (
    <div
      class="app"
      style={{
        '--timeline': `${timeline}px`,
        '--columns': columns,
        '--code-below': `${codeBelow}px`,
        '--filters': `${filters}px`,
      }}
    >
      <Header />
      <Notice />
      {trace.value !== undefined && trace.value.generation > 0 && (
        <>
          <Timeline />
          <Splitter pane="timeline" label="the timeline" axis="y" sign={1} />
          <div class="columns">
            <Filters />
            <Splitter pane="filters" label="the filters" axis="x" sign={1} />
            <main>
              <Tabs />
              <div class="tab-pane" role="tabpanel" id="pane" aria-label={TABS[tab.value]}>
                <Pane />
              </div>
            </main>
            <Splitter pane="code" label="the code" axis="x" sign={-1} />
            <Splitter pane="codeBelow" label="the code" axis="y" sign={-1} />
            <Code />
          </div>
        </>
      )}
    </div>
  );
}

/** What keeps the page from showing all of the trace, in a sentence. */
function Notice(): JSX.Element | null {
  if (badUrl.value !== '') return <p class="notice">{badUrl.value} Everything is shown instead.</p>;
  if (!connected.value)
    return <p class="notice error">memsurge does not answer: was “memsurge view” ended? Start it again to go on.</p>;
  const one = trace.value;
  if (one === undefined)
    return traces.value.length === 0 ? (
      <p class="notice">Asking memsurge for its traces …</p>
    ) : (
      <p class="notice error">There is no such trace here; choose one above.</p>
    );
  if (one.phase === 'failed') return <p class="notice error">{one.error}</p>;
  if (one.phase === 'ready') return null;
  return (
    <p class="notice" role="status">
      <progress
        max={1}
        {...(one.fraction !== null && { value: one.fraction })}
        aria-label="how far the trace is read"
      />{' '}
      {one.text}
      {one.generation > 0 && ': allocations follow, what is known already is shown below.'}
    </p>
  );
}

function Tabs(): JSX.Element {
  return (
    <div class="tabs" role="tablist" aria-label="what to look at">
      {NAMES.map((name, i) => (
        <button
          type="button"
          key={name}
          role="tab"
          aria-selected={tab.value === name}
          aria-controls="pane"
          tabIndex={tab.value === name ? 0 : -1}
          onClick={() => go({ tab: name })}
          onKeyDown={(event) => {
            const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
            if (way === undefined) return;
            event.preventDefault();
            const next = (i + way + NAMES.length) % NAMES.length;
            go({ tab: NAMES[next] });
            (event.currentTarget.parentElement?.children[next] as HTMLElement | undefined)?.focus();
          }}
        >
          {TABS[name]}
        </button>
      ))}
    </div>
  );
}

function Pane(): JSX.Element {
  switch (tab.value) {
    case 'findings':
      return <Findings />;
    case 'tree':
      return <CallTree />;
    case 'hotspots':
      return <Hotspots />;
    case 'callers':
      return <Callers />;
    case 'flame':
      return <Flame />;
    case 'types':
      return <DimensionTable key="type" by="type" />;
    case 'threads':
      return <DimensionTable key="thread" by="thread" />;
    case 'heap':
      return <Heap />;
    case 'recording':
      return <Recording />;
  }
}

function globalKeys() {
  return [
    ...NAMES.map((name, i) => ({
      keys: [String(i + 1)],
      does: `show “${TABS[name]}”`,
      run: () => go({ tab: name }),
    })),
    {
      keys: ['h'],
      does: 'fold code of the runtime, its framework and libraries of the languages into the function that called it, or unfold it',
      run: () => changeView({ hideSystem: !view.value.hideSystem }),
    },
    {
      keys: ['i'],
      does: 'turn trees and the flame graph over: callers below what they called',
      run: () => go({ inverted: !place.value.inverted }),
    },
    {
      keys: ['u'],
      does: 'count bytes or objects',
      run: () => changeView({ unit: view.value.unit === 'bytes' ? 'count' : 'bytes' }),
    },
    {
      keys: ['c'],
      does: 'show the callers of the selected function',
      run: () => place.value.fn !== '' && go({ tab: 'callers' }),
    },
    {
      keys: ['f'],
      does: 'filter by the selected function',
      run: () => {
        const { fn } = place.value;
        if (fn !== '' && !view.value.functions.includes(fn)) changeView({ functions: [...view.value.functions, fn] });
      },
    },
    { keys: ['g'], does: 'go to the list or tree', run: () => focusOn('main .grid, main .flame') },
  ];
}

function focusOn(selector: string): void {
  (document.querySelector(selector) as HTMLElement | null)?.focus();
}
