// Bundles the page of "memsurge view" into dist/viewer.
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { COLOURS } from '../dist/wording/colours.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'dist', 'viewer');

await build({
  entryPoints: { app: join(root, 'src', 'viewer', 'main.tsx') },
  outdir: out,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  banner: { css: COLOURS },
  logLevel: 'warning',
});
copyFileSync(join(root, 'src', 'viewer', 'index.html'), join(out, 'index.html'));
