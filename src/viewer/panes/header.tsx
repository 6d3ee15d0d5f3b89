import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { KIND_LABELS } from '../../trace/kinds.ts';
import { type AskedView, METRICS, type Metric } from '../../trace/view.ts';
import { formatTime } from '../../wording/figures.ts';
import { accuracyText, beforeText, netText, rowName, shownText } from '../../wording/rows.ts';
import { DEFAULT_METRIC_MEANS, METRIC_MEANS } from '../../wording/view.ts';
import { busy, useAnswer } from '../answers.ts';
import { bindKeys, boundKeys, LIST_KEYS } from '../keys.ts';
import { changeView, clearFilters, go, place, view } from '../place.ts';
import { trace, traces } from '../traces.ts';
import { useShown } from './shown.ts';

const help = signal(false);
const warnings = signal(false);

/** What is looked at: trace, metric, unit, filters; how much of the whole that is; warnings and help. */
export function Header(): JSX.Element {
  useEffect(
    () =>
      bindKeys(
        {
          keys: ['?'],
          does: 'list the keys',
          run: () => {
            help.value = !help.value;
          },
        },
        {
          keys: ['Escape'],
          does: 'close this list, leave a search, or go back to all of the time',
          run: stepBack,
        },
      ),
    [],
  );
  return (
    <header>
      <div class="bar-top">
        <span class="brand">memsurge</span>
        <TraceMenu />
        <MetricMenu />
        <UnitSwitch />
        <label
          class="check"
          title="fold code of the runtime, its framework and libraries of the languages into the function that called it (h)"
        >
          <input
            type="checkbox"
            checked={view.value.hideSystem}
            onChange={(event) => changeView({ hideSystem: event.currentTarget.checked })}
          />
          hide system
        </label>
        <Shown />
        <span class="spring" />
        <Theme />
        <button
          type="button"
          aria-expanded={help.value}
          onClick={() => {
            help.value = !help.value;
          }}
          title="list the keys (?)"
        >
          keys
        </button>
      </div>
      <Chips />
      <Warnings />
      {help.value && <Help />}
    </header>
  );
}

function stepBack(): void {
  if (document.activeElement instanceof HTMLInputElement) {
    document.activeElement.blur();
    return;
  }
  if (help.value) help.value = false;
  else if (view.value.from > 0 || view.value.to < Number.POSITIVE_INFINITY)
    changeView({ from: 0, to: Number.POSITIVE_INFINITY });
}

function TraceMenu(): JSX.Element {
  const names = traces.value;
  if (names.length < 2) return <b title={trace.value?.path}>{trace.value?.name ?? ''}</b>;
  return (
    <select
      aria-label="trace"
      value={place.value.trace}
      onChange={(event) => go({ trace: Number(event.currentTarget.value), fn: '' })}
    >
      {names.map(({ id, name, path }) => (
        <option key={id} value={id} title={path}>
          {name}
        </option>
      ))}
    </select>
  );
}

function MetricMenu(): JSX.Element {
  const { answer } = useShown().value;
  const { metric } = view.value;
  const automatic = metric === undefined && answer ? `${answer.metric} (automatic)` : 'automatic';
  return (
    <label>
      <span class="wide-only">metric </span>
      <select
        aria-label="metric"
        value={metric ?? ''}
        title={METRIC_MEANS[metric ?? answer?.metric ?? 'allocated']}
        onChange={(event) => {
          const { metric: _, ...rest } = view.value;
          const chosen = event.currentTarget.value as Metric | '';
          go({ view: chosen === '' ? rest : { ...rest, metric: chosen } });
        }}
      >
        <option value="" title={DEFAULT_METRIC_MEANS}>
          {automatic}
        </option>
        {METRICS.map((name) => (
          <option key={name} value={name} title={METRIC_MEANS[name]}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function UnitSwitch(): JSX.Element {
  const { unit } = view.value;
  return (
    <label>
      <span class="wide-only">count </span>
      <select
        aria-label="what is counted"
        value={unit}
        onChange={(event) => changeView({ unit: event.currentTarget.value as AskedView['unit'] })}
      >
        <option value="bytes">bytes</option>
        <option value="count">objects</option>
      </select>
    </label>
  );
}

/** "shown 2.93 GiB of 3.01 GiB · sampled ±0.3 %" */
function Shown(): JSX.Element {
  const { answer, error } = useShown().value;
  return (
    <output class={`shown${busy.value > 0 ? ' waiting' : ''}`} aria-live="polite">
      {answer && (
        <>
          <b>{shownText(answer)}</b> {answer.metric} · {accuracyText(answer)}
        </>
      )}
      {error && <span class="error">{metricOf()} cannot be counted here</span>}
    </output>
  );
}

const metricOf = (): string => view.value.metric ?? 'this';

interface Chip {
  readonly what: string;
  readonly text: string;
  remove(): void;
}

function Chips(): JSX.Element | null {
  const chips = chipsOf(view.value);
  if (chips.length === 0) return null;
  return (
    <ul class="chips" aria-label="filters">
      {chips.map(({ what, text, remove }) => (
        <li key={`${what} ${text}`} class="chip">
          <span class="what">{what}</span> {text}
          <button type="button" class="plain" aria-label={`take away ${what} ${text}`} onClick={remove}>
            ×
          </button>
        </li>
      ))}
      <li>
        <button type="button" class="plain" onClick={clearFilters}>
          clear all
        </button>
      </li>
    </ul>
  );
}

function chipsOf(asked: AskedView): Chip[] {
  const list = <K extends 'kinds' | 'heaps' | 'types' | 'threads' | 'modules' | 'functions' | 'processes'>(
    what: string,
    key: K,
    name: (text: string) => string = (text) => text,
  ): Chip[] =>
    asked[key].map((text) => ({
      what,
      text: name(text),
      remove: () => changeView({ [key]: asked[key].filter((other) => other !== text) }),
    }));
  const named = (dimension: 'heap') => (text: string) =>
    rowName({ name: text, bytes: 0, count: 0, share: 0 }, dimension);
  const hasRange = asked.from > 0 || asked.to < Number.POSITIVE_INFINITY;
  const end = asked.to < Number.POSITIVE_INFINITY ? formatTime(asked.to) : 'the end';
  return [
    ...list('memory', 'kinds', (kind) => KIND_LABELS[kind as keyof typeof KIND_LABELS]),
    ...list('heap', 'heaps', named('heap')),
    ...list('type', 'types'),
    ...list('thread', 'threads'),
    ...list('module', 'modules'),
    ...list('process', 'processes'),
    ...list('function', 'functions'),
    ...(hasRange
      ? [
          {
            what: 'time',
            text: `${formatTime(asked.from)} – ${end}`,
            remove: () => changeView({ from: 0, to: Number.POSITIVE_INFINITY }),
          },
        ]
      : []),
  ];
}

function Warnings(): JSX.Element | null {
  const shownOf = useShown();
  // A view that cannot be counted has no answer; what is wrong with the trace is said all the same.
  const facts = useAnswer('facts', () => (shownOf.value.error === undefined ? undefined : { view: view.value }));
  const { answer } = shownOf.value;
  const before = answer?.before;
  const texts = [
    ...(answer === undefined || netText(answer) === '' ? [] : [netText(answer)]),
    ...(before === undefined ? [] : [beforeText(before)]),
    ...(answer?.warnings ?? facts.value.answer?.warnings ?? []),
  ];
  if (texts.length === 0) return null;
  const shown = warnings.value ? texts : texts.slice(0, 1);
  return (
    <ul class="warnings" aria-label="warnings">
      {shown.map((text, i) => (
        <li key={text}>
          ⚠ {text}
          {i === 0 && texts.length > 1 && (
            <button
              type="button"
              class="plain"
              onClick={() => {
                warnings.value = !warnings.value;
              }}
            >
              {warnings.value ? 'show less' : `and ${texts.length - 1} more`}
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

const THEMES = ['system', 'light', 'dark'] as const;
const theme = signal<(typeof THEMES)[number]>(storedTheme());
theme.subscribe((name) => {
  document.documentElement.dataset.theme = name;
});

function storedTheme(): (typeof THEMES)[number] {
  try {
    return THEMES.find((name) => name === localStorage.getItem('memsurge.theme')) ?? 'system';
  } catch {
    return 'system';
  }
}

function Theme(): JSX.Element {
  const next = () => {
    theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
    try {
      localStorage.setItem('memsurge.theme', theme.value);
    } catch {
      // No storage: it lasts as long as the page.
    }
  };
  return (
    <button
      type="button"
      onClick={next}
      title={`colours: ${theme.value} (of the system, light, dark)`}
      aria-label={`colours: ${theme.value}`}
    >
      ◐
    </button>
  );
}

function Help(): JSX.Element {
  const rows = [...boundKeys().map(({ keys, does }) => ({ keys: keys.join(' '), does })), ...LIST_KEYS];
  return (
    <section class="help" aria-label="keys">
      <dl>
        {rows.map(({ keys, does }) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
