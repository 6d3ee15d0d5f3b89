import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { text } from 'node:stream/consumers';

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs `command`, whose first part is an absolute path, at addresses that are the same in every run, without input and
 * with nothing but `environment`. `preload` comes on top and reaches the program alone, not the launchers before it.
 * Programs allocate by what their files are (python seeks in its output), so that runs that are compared must both come from here.
 * @throws Error with what it printed when the program fails.
 */
export function runFixed(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  preload: Readonly<Record<string, string>>,
): Promise<Output> {
  const variables = Object.entries(preload).map(([name, value]) => `${name}=${value}`);
  return run(['setarch', '-R', 'env', ...variables, ...command], environment, '/dev/null');
}

/** @throws Error with what it printed when the program fails. */
export async function run(
  [program, ...args]: readonly string[],
  environment: NodeJS.ProcessEnv,
  input: string,
): Promise<Output> {
  const stdin = await open(input);
  try {
    const child = spawn(program, args, { env: environment, stdio: [stdin.fd, 'pipe', 'pipe'] });
    const [stdout, stderr, code] = await Promise.all([
      text(child.stdout!),
      text(child.stderr!),
      new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve)),
    ]);
    if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${stderr}`);
    return { stdout, stderr };
  } finally {
    await stdin.close();
  }
}
