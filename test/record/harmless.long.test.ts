import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scratchFolder } from '../support/memsurge.ts';
import { agentPrograms, buildCompat, COMPAT_WORDS, MODES, SANDBOXES, sameAsAlone, whyNoCompat } from './harmless.ts';

const folder = await scratchFolder();
const built = agentPrograms();
const commands = SANDBOXES.map((name) => [join(built, 'sandbox'), name]);
if (whyNoCompat() === undefined) {
  const program = buildCompat(folder);
  commands.push(...COMPAT_WORDS.map((word) => [program, ...word.split(' ')]));
}

test.each(MODES)('every program does and ends recorded as it does alone, %s', async (mode) => {
  for (const [i, command] of commands.entries()) {
    await sameAsAlone(command, mode, join(folder, `${mode}-${i}.memsurge`));
  }
  expect(commands.length).toBeGreaterThan(0);
});
