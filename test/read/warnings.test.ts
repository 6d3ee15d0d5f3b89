import { expect, test } from 'vitest';
import { createWarnings } from '../../src/read/warnings.ts';
import type { ManifestProcess } from '../../src/trace/manifest.ts';

const process = (pid: number) => ({ name: 'shop', pid }) as ManifestProcess;

test('what holds of several processes is said once, with the first few named', () => {
  const warnings = createWarnings(['The disk was full.']);
  warnings.addOf(process(1), 'a file is cut');
  for (let pid = 1; pid <= 2; pid++) warnings.addOf(process(pid), 'two of them');
  for (let pid = 1; pid <= 4; pid++) warnings.addOf(process(pid), 'four of them');
  for (let pid = 1; pid <= 9; pid++) warnings.addOf(process(pid), 'nine of them');
  // A process can have several files.
  warnings.addOf(process(9), 'nine of them');
  warnings.add('Attached.');
  expect(warnings.list()).toEqual([
    'The disk was full.',
    'Attached.',
    'shop (1): a file is cut',
    'shop (1) and shop (2): two of them',
    'shop (1), shop (2), shop (3) and shop (4): four of them',
    'shop (1), shop (2), shop (3) and 6 more: nine of them',
  ]);
});
