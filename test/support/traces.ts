import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Manifest } from '../../src/trace/manifest.ts';
import { ROOT } from './root.ts';

/** The bytes of a stream in test/fixtures. */
const fixtureStream = (name: 'sampled' | 'ticks'): Buffer =>
  gunzipSync(readFileSync(join(ROOT, 'test', 'fixtures', `${name}.nettrace.gz`)));

/** Writes a fixture as a .nettrace into `folder` and gives its path. */
export function writeNettrace(folder: string, name: 'sampled' | 'ticks'): string {
  const path = join(folder, `${name}.nettrace`);
  writeFileSync(path, fixtureStream(name));
  return path;
}

/**
 * Writes the folder of a recording, as it would have been made of the process that `sampled` was recorded from, with
 * `stream` as its stream, and gives its path.
 */
export function writeRecording(folder: string, name: string, stream: Uint8Array = fixtureStream('sampled')): string {
  const path = join(folder, name);
  const startTime = 1e12;
  const manifest: Manifest = {
    format: 'memsurge',
    version: 1,
    tool: 'test',
    state: 'complete',
    mode: 'run',
    command: ['fixture'],
    startedAt: Date.UTC(2026, 0, 1),
    startTime,
    endTime: startTime + 2e9,
    processes: [
      {
        id: '7',
        pid: 7,
        parentPid: 1,
        name: 'fixture',
        commandLine: 'fixture --all',
        runtime: '.NET 10.0.12',
        startTime,
        endTime: startTime + 2e9,
        exit: 'exit code 0',
        streams: ['streams/7.nettrace'],
        native: [],
      },
    ],
    warnings: ['a warning of the recorder'],
    blindSpots: [],
  };
  mkdirSync(join(path, 'streams'), { recursive: true });
  mkdirSync(join(path, 'process'));
  writeFileSync(join(path, 'manifest.json'), JSON.stringify(manifest));
  writeFileSync(join(path, 'process', '7.csv'), `${startTime},1000\n${startTime + 1e9},2000\n`);
  writeFileSync(join(path, 'streams', '7.nettrace'), stream);
  return path;
}
