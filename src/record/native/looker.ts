import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { compactAgentFile } from '../../read/agent/compact.ts';
import { looksHeader } from '../../read/agent/looks.ts';
import { formatResidency } from '../../read/agent/resident.ts';
import { messageOf } from '../../trace/errors.ts';
import { NATIVE_KINDS } from '../../trace/kinds.ts';
import type { ManifestProcess } from '../../trace/manifest.ts';
import { AGENTS_FOLDER, NATIVE_FOLDER } from '../../trace/part-names.ts';
import { costOf, monotonicNow } from '../clock.ts';
import { diagnosticsOff } from '../diagnostics-off.ts';
import type { RecordingFolder } from '../folder.ts';
import { describeProcess, programOf } from '../proc.ts';
import type { ProcSampler, SampledProcess } from '../proc-sampler.ts';
import { makeAgentsFolder } from './agents-folder.ts';
import { type BlindProcesses, watchForBlindProcesses } from './blind.ts';
import { type AgentCounters, openAgentCounters } from './counters.ts';
import { watchForExec } from './exec-watch.ts';
import { findWriter } from './writer.ts';

/** Looks at the counters of all agents of a recording while their processes run. */
export interface NativeLooker {
  /** Where the agents write. */
  readonly path: string;
  /** Process `pid`, which calls itself something else in a container, writes into `directory`, perhaps one of its own. */
  attached(pid: number, directory: string): void;
  /** Programs whose agent has begun to record. */
  readonly count: number;
  /** Live bytes of their native heaps together. */
  readonly liveBytes: number;
  /** Tells the pid of the launched program: processes below it without an agent become warnings. */
  launched(pid: number): void;
  /** Looks a last time, asks agents that still record to stop, and leaves their files without holes. */
  finish(): Promise<void>;
}

const INTERVAL = 100;
/** How often to measure what is resident, ms. */
const RESIDENCY_INTERVAL = 500;
/** How often to look for processes without an agent, ms. */
const SEARCH_INTERVAL = 1_000;
/** Looks may take at most this part of a core. */
const BUSY_SHARE = 0.05;

interface Agent {
  readonly name: string;
  readonly counters: AgentCounters;
  readonly sampled: SampledProcess;
  readonly write: (look: Uint8Array) => void;
  /** The process has ended, and what it left was looked at. */
  done: boolean;
}

/** Every process that has an agent becomes a process of the recording. */
export async function startNativeLooker(folder: RecordingFolder, sampler: ProcSampler): Promise<NativeLooker> {
  const path = await makeAgentsFolder(resolve(folder.path));
  await mkdir(join(folder.path, NATIVE_FOLDER));
  const agents = new Map<string, Agent>();
  const unreadable = new Set<string>();
  const execs = watchForExec();
  /** With the process that alone writes there, where there is one. */
  const directories = new Map<string, number | undefined>([[path, undefined]]);
  let timer = setTimeout(tick, INTERVAL);
  let nextLook = 0;
  let nextResidency = 0;
  let blind: BlindProcesses | undefined;
  let lastSearch = 0;

  function tick(): void {
    const start = monotonicNow();
    findAgents();
    findLost(start);
    if (start >= nextLook) nextLook = start + costOf(lookAtAll) / BUSY_SHARE;
    searchBlind(start);
    measureIfDue();
    timer = setTimeout(tick, INTERVAL);
  }

  function lookAtAll(): void {
    if (folder.failed) return;
    for (const agent of agents.values()) {
      if (agent.done) continue;
      agent.done = agent.sampled.over;
      try {
        agent.write(agent.counters.look(monotonicNow()));
      } catch (error) {
        agent.done = true;
        folder.warn(`native memory of process ${agent.counters.pid} was not followed to its end: ${messageOf(error)}`);
      }
    }
  }

  function measureIfDue(): void {
    const now = monotonicNow();
    if (now < nextResidency) return;
    nextResidency = now + Math.max(RESIDENCY_INTERVAL * 1e6, costOf(measureAll) / BUSY_SHARE);
  }

  /** Only the last measurement is kept, so that a process that dies leaves one that is not much older. */
  function measureAll(): void {
    for (const { name, counters, sampled } of agents.values()) {
      const measured = sampled.over ? undefined : counters.residency(monotonicNow());
      if (measured === undefined || measured.site.length === 0 || folder.failed) continue;
      const file = join(folder.path, NATIVE_FOLDER, name.replace(/\.agent$/, '.resident'));
      try {
        writeFileSync(`${file}.new`, formatResidency(measured));
        renameSync(`${file}.new`, file);
      } catch {
        // A full disk ends the recording elsewhere; the measurement before stays.
      }
    }
  }

  /** A process that becomes another program has its agent there too, or its native memory is not seen any more. */
  function findLost(now: number): void {
    for (const { pid, parentPid, since, name, commandLine, why } of execs.look(now)) {
      const process = folder.addProcess({ pid, parentPid, name, commandLine, runtime: '', startTime: since });
      const when = `${((since - folder.manifest.startTime) / 1e9).toFixed(2)} s`;
      folder.manifest.blindSpots.push({
        process: process.id,
        kinds: [...NATIVE_KINDS],
        from: since,
        effect: 'absent',
        text: `native memory was not recorded since its exec at ${when}: ${why}`,
      });
      void folder.save();
    }
  }

  function searchBlind(now: number): void {
    if (blind === undefined || now - lastSearch < SEARCH_INTERVAL * 1e6) return;
    lastSearch = now;
    const recorded = new Set([...agents.values()].map(({ counters }) => counters.pid));
    for (const sentence of blind.find(recorded, now / 1e6)) folder.warn(sentence);
  }

  /** Also between the looks, which may be seconds apart: a process must be known while it lives. */
  function findAgents(): void {
    if (folder.failed) return;
    for (const directory of directories.keys()) for (const name of namesIn(directory)) findAgent(directory, name);
  }

  function findAgent(directory: string, name: string): void {
    if (!name.endsWith('.agent') || agents.has(name) || unreadable.has(name)) return;
    const counters = open(directory, name);
    if (counters === undefined) return;
    const process = processOf(counters);
    // Its number is another one's in the next namespace: that one is not this process become another program.
    if (!counters.isFound) process.endTime ??= monotonicNow();
    process.native.push(`${NATIVE_FOLDER}/${name}`);
    if (counters.isFound) {
      execs.begun(counters.pid);
      process.diagnosticsOff = diagnosticsOff(counters.pid);
    }
    void folder.save();
    agents.set(name, {
      name,
      counters,
      sampled: counters.isFound ? sampler.add(process) : UNSEEN,
      write: looksWriter(folder, name),
      done: false,
    });
  }

  function open(directory: string, name: string): AgentCounters | undefined {
    try {
      const only = directories.get(directory);
      return openAgentCounters(join(directory, name), (inside) =>
        only === undefined ? findWriter(name, inside) : { pid: only, parentPid: describeProcess(only)?.parentPid ?? 0 },
      );
    } catch (error) {
      unreadable.add(name);
      folder.warn(`native memory in ${name} cannot be read: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** A process that becomes another program (exec) stays one process, called what it was last. */
  function processOf({ pid, parentPid, startTime, executable, commandLine }: AgentCounters): ManifestProcess {
    const name = programOf(commandLine.split(' ')) || basename(executable);
    return folder.addProcess({ pid, parentPid, name, commandLine, runtime: '', startTime });
  }

  return {
    path,
    attached(pid, directory) {
      directories.set(directory, pid);
    },
    get count() {
      return agents.size;
    },
    get liveBytes() {
      return [...agents.values()].reduce((sum, { counters }) => sum + counters.liveBytes, 0);
    },
    launched(pid) {
      blind = watchForBlindProcesses(pid);
    },
    async finish() {
      clearTimeout(timer);
      findAgents();
      lookAtAll();
      measureAll();
      await stopAll([...agents.values()]);
      lookAtAll();
      for (const { name, counters } of agents.values()) {
        try {
          await writeFile(join(folder.path, NATIVE_FOLDER, name), compactAgentFile(counters.path));
        } catch (error) {
          folder.warn(`native memory in ${name}: ${messageOf(error)}`);
        }
        counters.close();
      }
      // Programs that outlive the recording find no place to write to any more.
      for (const directory of [...directories.keys(), join(folder.path, AGENTS_FOLDER)]) {
        await removeFolder(directory);
      }
    },
  };
}

/** Of a process that nobody can be told to be: its agent's file is all there is. */
const UNSEEN: SampledProcess = {
  over: true,
  codeLoaded() {},
  lookOnce() {},
  ended: Promise.resolve(),
  stop() {},
};

/**
 * Takes a folder away in which programs may be making files at this moment: under another name they find it no more. What
 * cannot be removed stays, for the next recording to clean up.
 */
async function removeFolder(path: string): Promise<void> {
  const gone = `${path}.gone`;
  await rename(path, gone).catch(() => {});
  await rm(gone, { recursive: true, force: true }).catch(() => {});
}

/** A container's folders are gone when its last process is. */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** How long an agent in a running process may take to leave it, ms. */
const STOP_TIMEOUT = 2_000;

async function stopAll(agents: readonly Agent[]): Promise<void> {
  const running = agents.filter(({ sampled }) => !sampled.over);
  for (const { counters } of running) counters.askToStop();
  const deadline = monotonicNow() + STOP_TIMEOUT * 1e6;
  const isLeaving = ({ counters, sampled }: Agent) => counters.attached && !counters.stopped && !sampled.over;
  while (running.some(isLeaving) && monotonicNow() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Writes the looks of one agent; the file is made when there is something to write. */
function looksWriter(folder: RecordingFolder, name: string): (look: Uint8Array) => void {
  const part = folder.part(`${NATIVE_FOLDER}/${name.replace(/\.agent$/, '.looks')}`);
  part.write(looksHeader());
  return (look) => {
    if (!folder.failed) part.write(look);
  };
}
