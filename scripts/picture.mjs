// Makes docs/story1.svg, the README's picture, from a real run: node scripts/picture.mjs (after npm run demo).
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const STEPS = [
  ['top', 'story1.memsurge', '--by', 'heap'],
  ['top', 'story1.memsurge', '--type', 'System.Byte[]', '--by', 'function', '--limit', '3'],
  ['code', 'story1.memsurge', 'LoadCustomerAttachments', '--limit', '11'],
];
const LINE = 19;
const PADDING = 16;

const lines = STEPS.flatMap((args) => {
  const { stdout } = spawnSync(process.execPath, [join(root, 'bin', 'memsurge.js'), ...args], {
    cwd: join(root, '.build', 'demo'),
    encoding: 'utf8',
  });
  const output = stdout.trimEnd().replaceAll(root, '').split('\n');
  return [`$ memsurge ${args.map((arg) => (/[[\]]/.test(arg) ? `'${arg}'` : arg)).join(' ')}`, ...output, ''];
});
const height = lines.length * LINE + 2 * PADDING;
const width = Math.max(...lines.map((line) => line.length)) * 8.43 + 2 * PADDING;
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const text = lines.map((line, i) => {
  const color = line.startsWith('$') ? '#56b4e9' : /▶/.test(line) ? '#e69f00' : '#d4d4d4';
  return `<text x="${PADDING}" y="${PADDING + (i + 0.75) * LINE}" fill="${color}">${escaped(line)}</text>`;
});
writeFileSync(
  join(root, 'docs', 'story1.svg'),
  `<svg xmlns="http://www.w3.org/2000/svg" width="${Math.ceil(width)}" height="${height}" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" xml:space="preserve">
<title>memsurge top by heap, then by function, then code: the allocating line</title>
<rect width="100%" height="100%" rx="8" fill="#1e1e1e"/>
${text.join('\n')}
</svg>
`,
);
