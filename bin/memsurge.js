#!/usr/bin/env node
import module from 'node:module';
import { join } from 'node:path';

// From Node 22.1 on: compiled code is kept, so that the next start is quicker; not in the folder for temporary files, where
// Node would put it, for that may be the recorded program's. Where it cannot be kept, nothing happens.
const { XDG_CACHE_HOME, HOME } = process.env;
const caches = XDG_CACHE_HOME || (HOME && join(HOME, '.cache'));
if (caches) module.enableCompileCache?.(join(caches, 'memsurge'));

await import('../dist/cli/main.js');
