import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { dotnetTrace } from '../support/judges.ts';
import { isLong } from '../support/long.ts';
import { ask, memsurge, read, scratchFolder, start, startMemsurge, until } from '../support/memsurge.ts';
import { FRAMEWORKS, samplePath } from '../support/samples.ts';

/** The program keeps 30 attachments: of 100 MiB as in the story, which takes long, or smaller ones. */
const SMALLER = ['--size', '10'];
const SMALLER_BYTES = 30 * 10 * 1024 * 1024;

const source = fileURLToPath(new URL('../../samples/story1/Program.cs', import.meta.url));
const ALLOCATING_LINE =
  readFileSync(source, 'utf8')
    .split('\n')
    .findIndex((line) => line.includes('new byte[attachmentBytes]')) + 1;

/** Every step of the story on one trace, which holds between `least` and `bytes` of the attachments. */
async function tellsTheStory(trace: string, bytes = SMALLER_BYTES, least = bytes): Promise<void> {
  // What the other threads allocate meanwhile depends on how long it takes: beside small attachments that is more.
  const [largest] = (await ask('top', trace, '--kind', 'gc-heap', '--by', 'heap')).rows;
  expect(largest.name).toBe('loh');
  expect(largest.share).toBeGreaterThan(bytes > SMALLER_BYTES ? 0.9 : 0.7);
  expect(largest.bytes).toBeGreaterThan(0.95 * least);
  expect(largest.bytes).toBeLessThan(1.05 * bytes);

  const types = await ask('top', trace, '--by', 'type');
  expect(types.rows[0].name).toBe('System.Byte[]');

  const functions = await ask('top', trace, '--type', 'System.Byte[]', '--by', 'function');
  expect(functions.rows[0].name).toBe('CustomerService.Program.LoadCustomerAttachments');
  expect(functions.rows[0].share).toBeGreaterThan(0.99);

  const lines = await ask('top', trace, '--type', 'System.Byte[]', '--by', 'line');
  expect(lines.rows[0]).toMatchObject({ file: source, line: ALLOCATING_LINE });
  expect(lines.rows[0].share).toBeGreaterThan(0.99);

  const code = await read('code', trace, 'LoadCustomerAttachments');
  expect(code.stdout).toMatch(/[\d.]+ [GM]iB.*\bnew byte\[attachmentBytes\]/);

  const report = await memsurge('report', trace);
  expect(report.status).toBe(0);
  for (const word of ['System.Byte[]', 'LoadCustomerAttachments', `Program.cs:${ALLOCATING_LINE}`]) {
    expect(report.stdout).toContain(word);
  }
}

let folder: string;
beforeAll(async () => {
  folder = await scratchFolder();
});

describe.each(FRAMEWORKS)('story 1 on %s', (framework) => {
  test('is told by a launched recording', async () => {
    const trace = join(folder, `run-${framework}.memsurge`);
    const whole = isLong && framework === 'net10.0';
    const bytes = (whole ? 10 : 1) * SMALLER_BYTES;
    const program = [samplePath('story1', framework), ...(whole ? [] : SMALLER)];
    const { status, stdout } = await memsurge('run', '-o', trace, '--', ...program);
    expect(status).toBe(0);
    expect(stdout).toContain(`30 attachments, ${bytes} bytes`);
    await tellsTheStory(trace, bytes);

    const heap = await read('heap', trace);
    expect(heap.stdout).toMatch(/loh/i);
  });

  test('is told by an attached recording', async () => {
    const trace = join(folder, `attach-${framework}.memsurge`);
    const target = start(samplePath('story1', framework), [...SMALLER, '--delay', '300']);
    await until(() => target.output().includes('Loaded 5 attachments'));
    const recorder = await memsurge('attach', String(target.child.pid), '-o', trace);
    expect(recorder.status).toBe(0);
    expect(await target.finished).toMatchObject({ status: 0 });
    expect(await target.finished).toMatchObject({ stdout: expect.stringContaining('30 attachments') });
    await tellsTheStory(trace, SMALLER_BYTES, SMALLER_BYTES / 2);
  });

  if (!isLong && !['net8.0', 'net11.0'].includes(framework)) return;
  test('is told by a .nettrace that dotnet-trace made', async () => {
    const trace = join(folder, `${framework}.nettrace`);
    await dotnetTrace('gc-verbose', trace, samplePath('story1', framework), ...SMALLER);
    await tellsTheStory(trace);
  });
});

test('Ctrl-C stops an attached recording, keeps it, and leaves the program alone', async () => {
  const trace = join(folder, 'ctrl-c.memsurge');
  const target = start(samplePath('story1'), [...SMALLER, '--delay', '300']);
  await until(() => target.output().includes('Loaded 5 attachments'));
  const recorder = startMemsurge('attach', String(target.child.pid), '-o', trace);
  let said = '';
  recorder.child.stderr?.on('data', (text) => {
    said += text;
  });
  await until(() => said.includes('recording'));
  // From one line to the next five attachments are made.
  const linesSaid = () => target.output().split('Loaded').length;
  const before = linesSaid();
  await until(() => linesSaid() >= before + 2);
  recorder.child.kill('SIGINT');
  expect((await recorder.finished).status).toBe(0);
  await tellsTheStory(trace, SMALLER_BYTES, SMALLER_BYTES / 20);
  expect(await target.finished).toMatchObject({ status: 0, stdout: expect.stringContaining('30 attachments') });
});

test('native stacks pass through methods that .NET 11 replaced while they ran', async () => {
  const trace = join(folder, 'native-11.memsurge');
  const program = samplePath('story1', 'net11.0');
  expect((await memsurge('run', '--native', 'exact', '-o', trace, '--', program, ...SMALLER)).status).toBe(0);
  const { warnings } = await ask('top', trace, '--kind', 'native-heap', '--by', 'function');
  expect(warnings.filter((warning) => warning.includes('do not reach'))).toEqual([]);
});
