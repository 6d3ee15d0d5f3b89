import { readdirSync, renameSync, rmSync, type WriteStream, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { looksHeader } from '../../read/agent/looks.ts';
import { formatResidency } from '../../read/agent/resident.ts';
import { messageOf, reasonOf } from '../../trace/errors.ts';
import { NATIVE_KINDS } from '../../trace/kinds.ts';
import type { ManifestProcess } from '../../trace/manifest.ts';
import { NATIVE_FOLDER, nativeParts } from '../../trace/part-names.ts';
import { PRIVATE_FILE, PRIVATE_FOLDER } from '../../trace/private-file.ts';
import { costOf, monotonicNow } from '../clock.ts';
import { diagnosticsOff } from '../diagnostics-off.ts';
import { isTooManyFiles } from '../errno.ts';
import { closed, type RecordingFolder } from '../folder.ts';
import { openFilesLeft } from '../open-files.ts';
import { commandLine, describeProcess, programOf } from '../proc.ts';
import type { ProcSampler, SampledProcess } from '../proc-sampler.ts';
import { say } from '../say.ts';
import { makeAgentsFolder } from './agents-folder.ts';
import type { AgentFiles } from './attach/stage.ts';
import { type BlindProcesses, watchForBlindProcesses } from './blind.ts';
import { type AgentCounters, openAgentCounters } from './counters.ts';
import { watchForExec } from './exec-watch.ts';
import { findWriter } from './writer.ts';

/** Looks at the counters of all agents of a recording while their processes run. */
export interface NativeLooker {
  /** Where the agents write. */
  readonly path: string;
  /** Process `pid`, which calls itself something else in a container, has its file in `files`, perhaps a folder of its own. */
  attached(pid: number, files: AgentFiles): void;
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
/** Each time so much was written of a process, looks at it are half as often: a day must fit into what a reader holds. */
const LOOKS_BYTES_PER_HALVING = 8 << 20;
/** How often to measure what is resident, ms. */
const RESIDENCY_INTERVAL = 200;
/** How often to look for processes without an agent, ms. */
const SEARCH_INTERVAL = 1_000;
/** Files that stay open for a process with an agent, and those that all the others need at a time. */
const FILES_OF_A_PROCESS = 8;
const FILES_OF_THE_REST = 16;
/** A process is gone so long after it left its agent, ns. */
const ENDS_WITHIN = 1e9;
/** Looks may take at most this part of a core. */
const BUSY_SHARE = 0.05;

interface Agent {
  readonly name: string;
  readonly process: ManifestProcess;
  readonly path: string;
  readonly counters: AgentCounters;
  readonly sampled: SampledProcess;
  readonly looks: WriteStream;
  readonly release: (highest: number) => void;
  /** Monotonic ns. */
  nextLook: number;
  /** It cannot be looked at any more. */
  lost: boolean;
  /** It was said that the agent has given us up. */
  gaveUp: boolean;
}

/** Every process that has an agent becomes a process of the recording. */
export async function startNativeLooker(folder: RecordingFolder, sampler: ProcSampler): Promise<NativeLooker> {
  const { path, remove } = await makeAgentsFolder(folder);
  await mkdir(join(folder.inside, NATIVE_FOLDER), PRIVATE_FOLDER);
  const agents = new Map<string, Agent>();
  /** Files of processes that have ended. */
  const closing = new Set<Promise<void>>();
  const unreadable = new Set<string>();
  /** Files that could not be taken over. */
  const left = new Set<string>();
  let count = 0;
  const execs = watchForExec();
  /** With the process that alone writes there, where there is one. */
  const directories = new Map<string, number | undefined>([[path, undefined]]);
  const toRelease: AgentFiles[] = [];
  let timer = setTimeout(tick, INTERVAL);
  let nextLook = 0;
  let nextResidency = 0;
  let blind: BlindProcesses | undefined;
  let lastSearch = 0;

  function tick(): void {
    const start = monotonicNow();
    findAgents();
    leaveEnded();
    for (const { counters } of agents.values()) if (counters.attached) counters.beat();
    findLost();
    findGivenUp(start);
    if (start >= nextLook) nextLook = start + costOf(() => lookAtDue(start)) / BUSY_SHARE;
    searchBlind(start);
    measureIfDue();
    timer = setTimeout(tick, INTERVAL);
  }

  function lookAtDue(now: number): void {
    for (const agent of agents.values()) {
      if (now < agent.nextLook) continue;
      lookAt(agent);
      const halvings = Math.floor(agent.looks.bytesWritten / LOOKS_BYTES_PER_HALVING);
      if (halvings > 0) agent.nextLook = now + INTERVAL * 1e6 * 2 ** halvings;
    }
  }

  function lookAtAll(): void {
    for (const agent of agents.values()) lookAt(agent);
  }

  function lookAt(agent: Agent): void {
    if (agent.lost || folder.failed) return;
    try {
      agent.looks.write(agent.counters.look(monotonicNow()));
    } catch (error) {
      agent.lost = true;
      folder.warn(`native memory of process ${agent.counters.pid} was not followed to its end: ${messageOf(error)}`);
    }
  }

  /** Of a process that has ended nothing stays open, and nothing in shared memory. */
  function leaveEnded(): void {
    for (const agent of agents.values()) if (agent.sampled.over) leave(agent);
  }

  function leave(agent: Agent): void {
    const { name, counters } = agent;
    lookAt(agent);
    agents.delete(name);
    const part = join(folder.inside, NATIVE_FOLDER, name);
    try {
      writeFileSync(part, counters.whole(), PRIVATE_FILE);
      rmSync(agent.path, { force: true });
    } catch (error) {
      // A reader takes what the agent wrote where there is no such part.
      rmSync(part, { force: true });
      left.add(name);
      folder.warn(`native memory in ${name} stays in ${dirname(agent.path)}: ${reasonOf(error)}`);
    }
    counters.close();
    const looksClosed = closed(agent.looks).then(() => {
      agent.release(counters.peakBytes);
      closing.delete(looksClosed);
    });
    closing.add(looksClosed);
  }

  async function leaveAll(): Promise<void> {
    findGivenUp(monotonicNow());
    lookAtAll();
    measureAll();
    await stopAll([...agents.values()]);
    lookAtAll();
    for (const agent of agents.values()) leave(agent);
    await Promise.all(closing);
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
      const file = join(folder.inside, NATIVE_FOLDER, name.replace(/\.agent$/, '.resident'));
      try {
        writeFileSync(`${file}.new`, formatResidency(measured), PRIVATE_FILE);
        renameSync(`${file}.new`, file);
      } catch {
        // A full disk ends the recording elsewhere; the measurement before stays.
      }
    }
  }

  /** A process that becomes another program has its agent there too, or its native memory is not seen any more. */
  function findLost(): void {
    for (const { pid, parentPid, since, name, commandLine, why } of execs.look()) {
      const process = folder.addProcess({ pid, parentPid, name, commandLine, runtime: '', startTime: since });
      notRecordedSince(process, since, `its exec at ${secondsOf(since)}: ${why}`);
    }
  }

  /** An agent that was attached gives up a recorder whose heart does not beat: one that stands still, too. */
  function findGivenUp(now: number): void {
    for (const agent of agents.values()) {
      const { counters, process, sampled } = agent;
      if (agent.gaveUp || !counters.attached || sampled.over) continue;
      // Before its end a process leaves its agent as well.
      const since = counters.endTime;
      if (since === undefined || now - since < ENDS_WITHIN) continue;
      agent.gaveUp = true;
      const why = `memsurge stood still for more than 5 s (Ctrl-Z?), so that the program was left alone or to another recorder`;
      notRecordedSince(process, since, `${secondsOf(since)}: ${why}`);
      say(`${process.name} (${process.pid}): native memory was not recorded since ${secondsOf(since)}: ${why}`);
    }
  }

  function notRecordedSince(process: ManifestProcess, from: number, text: string): void {
    folder.manifest.blindSpots.push({
      ...{ process: process.id, kinds: [...NATIVE_KINDS], from, effect: 'absent' },
      text: `native memory was not recorded since ${text}`,
    });
    void folder.save();
  }

  const secondsOf = (time: number) => `${((time - folder.manifest.startTime) / 1e9).toFixed(2)} s`;

  function searchBlind(now: number): void {
    if (blind === undefined || now - lastSearch < SEARCH_INTERVAL * 1e6) return;
    lastSearch = now;
    const recorded = new Set([...agents.values()].map(({ counters }) => counters.pid));
    for (const sentence of blind.find(recorded, now / 1e6)) folder.warn(sentence);
  }

  /**
   * Also between the looks, which may be seconds apart: a process must be known while it lives. False: there are more than
   * files may be open; they are found once others have ended.
   */
  function findAgents(): boolean {
    if (folder.failed) return true;
    for (const directory of directories.keys()) {
      for (const name of namesIn(directory).filter(isNew)) {
        if (openFilesLeft() < FILES_OF_A_PROCESS + FILES_OF_THE_REST) return false;
        findAgent(directory, name);
      }
    }
    return true;
  }

  function isNew(name: string): boolean {
    return name.endsWith('.agent') && !agents.has(name) && !unreadable.has(name) && !left.has(name);
  }

  function findAgent(directory: string, name: string): void {
    const counters = open(directory, name);
    if (counters === undefined) return;
    const looks = openLooks(name);
    if (looks === undefined) {
      counters.close();
      return;
    }
    const process = processOf(counters);
    // Its number is another one's in the next namespace: that one is not this process become another program.
    if (!counters.isFound) process.endTime ??= monotonicNow();
    process.native.push(`${NATIVE_FOLDER}/${name}`);
    if (counters.isFound) {
      execs.begun(counters.pid, counters.inode);
      // One that has just ended does not tell it any more.
      process.diagnosticsOff = diagnosticsOff(counters.pid) ?? process.diagnosticsOff;
    }
    void folder.save();
    const release = folder.hold(process);
    // A process has one agent at a time: the one before was that of the program it was before (exec).
    if (counters.isFound) for (const one of agents.values()) if (one.counters.pid === counters.pid) leave(one);
    const sampled = counters.isFound ? sampler.add(process) : UNSEEN;
    agents.set(name, {
      name,
      process,
      path: join(directory, name),
      counters,
      sampled,
      looks,
      release,
      nextLook: 0,
      lost: false,
      gaveUp: false,
    });
    count++;
  }

  function open(directory: string, name: string): AgentCounters | undefined {
    try {
      const only = directories.get(directory);
      return openAgentCounters(join(directory, name), (inside) =>
        only === undefined ? findWriter(name, inside) : { pid: only, parentPid: describeProcess(only)?.parentPid ?? 0 },
      );
    } catch (error) {
      if (isTooManyFiles(error)) return undefined;
      unreadable.add(name);
      folder.warn(`native memory in ${name} cannot be read: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** Undefined when too many files are open: it is tried again. */
  function openLooks(name: string): WriteStream | undefined {
    try {
      const looks = folder.part(nativeParts(`${NATIVE_FOLDER}/${name}`)[1]);
      looks.write(looksHeader());
      return looks;
    } catch (error) {
      if (isTooManyFiles(error)) return undefined;
      throw error;
    }
  }

  /** A process that becomes another program (exec) stays one process, called what it was last. */
  function processOf({ pid, parentPid, startTime, executable, arguments: args }: AgentCounters): ManifestProcess {
    const name = programOf(args) || basename(executable);
    return folder.addProcess({ pid, parentPid, name, commandLine: commandLine(args), runtime: '', startTime });
  }

  return {
    path,
    attached(pid, files) {
      directories.set(files.directory, pid);
      toRelease.push(files);
    },
    get count() {
      return count;
    },
    get liveBytes() {
      return [...agents.values()].reduce((sum, { counters }) => sum + counters.liveBytes, 0);
    },
    launched(pid) {
      blind = watchForBlindProcesses(pid);
    },
    async finish() {
      clearTimeout(timer);
      for (let tries = 0; !findAgents() && tries < 100; tries++) {
        await leaveAll();
        await pause(20);
      }
      await leaveAll();
      if (left.size > 0) return;
      // Programs that outlive the recording find no place to write to any more.
      for (const files of toRelease) await files.release();
      await remove();
    },
  };
}

/** Of a process that nobody can be told to be: its agent's file is all there is, and it may run to the end of the recording. */
const UNSEEN: SampledProcess = {
  over: false,
  codeLoaded() {},
  lookOnce() {},
  ended: Promise.resolve(),
  stop() {},
};

/** A container's folders are gone when its last process is. */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** How long an agent in a running process may take to leave it, ms. */
const STOP_TIMEOUT = 5_000;

async function stopAll(agents: readonly Agent[]): Promise<void> {
  const running = agents.filter(({ sampled }) => !sampled.over);
  for (const { counters } of running) counters.askToStop();
  const deadline = monotonicNow() + STOP_TIMEOUT * 1e6;
  const isLeaving = ({ counters, sampled }: Agent) =>
    counters.attached && counters.endTime === undefined && !sampled.over;
  while (running.some(isLeaving) && monotonicNow() < deadline) {
    await pause(20);
  }
}
