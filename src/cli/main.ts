// First: it notes what is open before anything else opens files.
import '../record/descriptors.ts';
import { readFileSync } from 'node:fs';
import { ignoresHangup } from '../record/given.ts';
import { outliveBrokenOutput, sayUncaught } from './errors.ts';
import { runProgram } from './program.ts';
import { processShell } from './shell.ts';

outliveBrokenOutput();
const shell = processShell();
sayUncaught(shell.err);
if (ignoresHangup) process.on('SIGHUP', () => {});
// Else Node opens a port on it through which whoever comes may run code as us.
process.on('SIGUSR1', () => {});
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
// A command may have set the code itself: "run" passes on that of its target.
const failure = await runProgram(process.argv.slice(2), shell, version);
if (failure !== undefined) process.exitCode = failure;
