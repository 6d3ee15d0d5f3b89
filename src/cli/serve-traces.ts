import { spawn } from 'node:child_process';
import { userInfo } from 'node:os';

export interface ServeOptions {
  /** 0: any free one. */
  readonly port: number;
  /** Opens a browser where there is a screen to show it on. */
  readonly openBrowser: boolean;
  readonly version: string;
  readonly sourceRoots?: readonly string[];
}

/**
 * Shows the traces at `paths` in the browser until Ctrl-C or SIGTERM; `say` gets the address to open.
 * @throws TraceError when the port cannot be had.
 */
export async function serveTraces(
  paths: readonly string[],
  { port, openBrowser, version, sourceRoots = [] }: ServeOptions,
  say: (text: string) => void,
): Promise<void> {
  const { startServer } = await import('../serve/server.ts');
  const asked = whenAskedToEnd();
  const server = await startServer({ paths, port, version, sourceRoots });
  say(`${server.url}  (Ctrl-C ends)`);
  const tunnel = tunnelLine(new URL(server.url).port, process.env.SSH_CONNECTION);
  if (tunnel !== undefined) say(tunnel);
  if (openBrowser && hasScreen()) openInBrowser(server.url);
  await asked;
  await server.close();
}

function whenAskedToEnd(): Promise<void> {
  return new Promise((resolve) => {
    // Once: should closing ever hang, the second Ctrl-C ends the process.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}

/** What to type at home, where `connection` is that of an SSH session: client's address and port, server's address and port. */
export function tunnelLine(port: string, connection: string | undefined): string | undefined {
  if (connection === undefined) return undefined;
  const [, , address = 'HOST', sshPort = '22'] = connection.split(' ');
  const options = [`-L ${port}:127.0.0.1:${port}`, ...(sshPort === '22' ? [] : [`-p ${sshPort}`])].join(' ');
  return `from the machine you sit at, first: ssh ${options} ${userInfo().username}@${address}`;
}

const hasScreen = () =>
  process.stdout.isTTY && (process.env.DISPLAY !== undefined || process.env.WAYLAND_DISPLAY !== undefined);

function openInBrowser(url: string): void {
  const browser = spawn('xdg-open', [url], { detached: true, stdio: 'ignore' });
  // Without xdg-open the printed address remains.
  browser.on('error', () => {});
  browser.unref();
}
