import type { ComponentChildren, JSX } from 'preact';
import { KIND_LABELS } from '../../trace/kinds.ts';
import { formatBytes, formatCount, formatTime } from '../../wording/figures.ts';
import { framesText, managedSourceText, NATIVE_SOURCES } from '../../wording/recording.ts';
import { useAnswer } from '../answers.ts';
import { view } from '../place.ts';
import { serverVersion } from '../traces.ts';
import { Refusal } from '../widgets/refusal.tsx';

/** What was recorded and how, what was lost, and what the trace cannot know. */
export function Recording(): JSX.Element {
  const asked = useAnswer('facts', () => ({ view: view.value }));
  const { answer, error } = asked.value;
  if (error !== undefined) return <Refusal text={error} />;
  if (answer === undefined) return <p class="empty" />;
  const { recording, processes, kinds, counts, warnings } = answer;
  return (
    <div class="recording">
      <section>
        <h2>What the trace cannot know</h2>
        {warnings.length === 0 && <p>Nothing is known to be missing.</p>}
        <ul>
          {warnings.map((text) => (
            <li key={text}>⚠ {text}</li>
          ))}
        </ul>
      </section>
      <section>
        <h2>Recording</h2>
        <dl>
          <Fact name="file">{recording.path}</Fact>
          <Fact name="made by">
            {recording.source === 'memsurge' ? `memsurge ${recording.mode}` : `another tool (${recording.source})`}
          </Fact>
          <Fact name="began">{new Date(recording.startedAt).toLocaleString()}</Fact>
          <Fact name="lasted">{formatTime(recording.duration)}</Fact>
          <Fact name="kinds of memory">{kinds.map((kind) => KIND_LABELS[kind]).join(', ') || 'none yet'}</Fact>
          <Fact name="mean between managed samples">
            {recording.samplingMeanBytes > 0 ? formatBytes(recording.samplingMeanBytes) : 'no samples'}
          </Fact>
          <Fact name="runtime events">
            {formatCount(recording.events)} read, {formatCount(recording.eventsLost)} lost
          </Fact>
          <Fact name="managed frames">{framesText(recording.frames, recording.framesUnresolved)}</Fact>
          <Fact name="native frames">{framesText(recording.nativeFrames, recording.nativeFramesUnresolved)}</Fact>
          <Fact name="holds">
            {formatCount(counts.allocations)} allocation rows, {formatCount(counts.stacks)} stack nodes,{' '}
            {formatCount(counts.functions)} functions, {formatCount(counts.types)} types, {formatCount(counts.threads)}{' '}
            threads, {formatCount(counts.gcs)} garbage collections
          </Fact>
          <Fact name="shown by">memsurge {serverVersion.value}</Fact>
        </dl>
      </section>
      {processes.map((process) => (
        <section key={process.label}>
          <h2>{process.label}</h2>
          <dl>
            <Fact name="command line">
              <code>{process.commandLine || 'not known'}</code>
            </Fact>
            <Fact name="runtime">{process.runtime || 'none known'}</Fact>
            <Fact name="observed">
              {formatTime(process.start)} – {formatTime(process.end)}
              {process.exit !== '' && `, ${process.exit}`}
            </Fact>
            <Fact name="managed memory">{managedSourceText(process)}</Fact>
            <Fact name="native memory">{NATIVE_SOURCES[process.nativeSource]}</Fact>
          </dl>
        </section>
      ))}
    </div>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
