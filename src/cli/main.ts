import { readFileSync } from 'node:fs';
import { endQuietlyOnBrokenPipe } from './errors.ts';
import { createProgram, runProgram } from './program.ts';
import { processShell } from './shell.ts';

endQuietlyOnBrokenPipe();
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const shell = processShell();
// A command may have set the code itself: "run" passes on that of its target.
const failure = await runProgram(createProgram(shell, version), process.argv.slice(2), shell);
if (failure !== undefined) process.exitCode = failure;
