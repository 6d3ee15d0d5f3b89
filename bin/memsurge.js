#!/usr/bin/env node
import module from 'node:module';

// From Node 22.1 on: compiled code is kept, so that the next start is quicker.
module.enableCompileCache?.();
await import('../dist/cli/main.js');
