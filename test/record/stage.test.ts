import { execFileSync } from 'node:child_process';
import { chownSync, closeSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openAgentFile } from '../../src/record/native/agent-file.ts';
import { scratchFolder } from '../support/memsurge.ts';
import { whyNoNativeSamples } from '../support/samples.ts';
import { raceForFilesOfRoot } from './stage-race.ts';

const folder = await scratchFolder();
const isRoot = process.getuid?.() === 0;

test.skipIf(!isRoot || whyNoNativeSamples() !== undefined)(
  'a user whose program root attaches to gets none of the files of root (needs root)',
  async () => {
    expect(await raceForFilesOfRoot(4)).toBe(0);
  },
);

describe("an agent's file, in a folder that is somebody else's,", () => {
  const path = (name: string) => join(folder, name);
  const secret = path('secret');
  writeFileSync(secret, 'MEMSURGE');

  test('is opened when it is one', () => {
    writeFileSync(path('1-2.agent'), '');
    closeSync(openAgentFile(path('1-2.agent')));
  });

  test('is not followed as a link, waited for as a pipe, or taken as a second name', () => {
    symlinkSync(secret, path('link.agent'));
    linkSync(secret, path('name.agent'));
    execFileSync('mkfifo', [path('pipe.agent')]);
    mkdirSync(path('folder.agent'));
    for (const name of ['link', 'name', 'pipe', 'folder']) {
      expect(() => openAgentFile(path(`${name}.agent`)), name).toThrow();
    }
  });

  test.skipIf(!isRoot)('is nobody else’s (needs root)', () => {
    const theirs = path('theirs');
    mkdirSync(theirs);
    chownSync(theirs, 65_534, 65_534);
    writeFileSync(join(theirs, 'own.agent'), '');
    writeFileSync(join(theirs, 'other.agent'), '');
    chownSync(join(theirs, 'other.agent'), 1, 1);
    closeSync(openAgentFile(join(theirs, 'own.agent')));
    expect(() => openAgentFile(join(theirs, 'other.agent'))).toThrow('not a file that an agent made');
  });
});
