import { timingSafeEqual } from 'node:crypto';

/** What is looked at of a request; headers are undefined where they were not sent. */
export interface Incoming {
  readonly method: string;
  readonly path: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
  readonly fetchMode: string | undefined;
}

export interface Refusal {
  readonly status: 403 | 404 | 405;
  readonly text: string;
}

/** Names of this machine's own address; any port, since ssh -L may bring the server to another. */
const OWN_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/;

/**
 * Why a request is not answered; undefined when it is. A trace tells a program's code paths, so that only who was given
 * the URL may see it: no page of another site (Origin, Sec-Fetch-Site), none that turned its name into our address (Host),
 * no other user of the machine (token, the first segment of the path).
 */
export function refusal(
  { method, path, host, origin, fetchSite, fetchMode }: Incoming,
  token: string,
): Refusal | undefined {
  if (host === undefined || !OWN_HOST.test(host)) {
    return { status: 403, text: 'This server answers to localhost and 127.0.0.1 only.' };
  }
  const isForeign = origin !== undefined && origin !== `http://${host}`;
  const isOwn = fetchSite === undefined || fetchSite === 'same-origin' || fetchSite === 'none';
  // A link may be followed from anywhere, for example from a terminal in a browser, but to the page only.
  const isLink = fetchMode === 'navigate' && path.split('/').length <= 3;
  if (isForeign || !(isOwn || isLink)) {
    return { status: 403, text: 'This server answers its own page only.' };
  }
  if (!isSame(path.split('/')[1], token)) return { status: 404, text: NOT_FOUND };
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, text: 'Only GET and HEAD are answered.' };
  return undefined;
}

export const NOT_FOUND = 'Not found.';

/** Compares in a time that does not tell how much of it is right. */
function isSame(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}
