import { createHash } from 'node:crypto';

/** The algorithms by which symbols state what a source file was when it was compiled. */
const ALGORITHMS = ['sha256', 'sha1', 'md5'];

/** `algorithm:hex` of `bytes`. */
export function checksumOf(bytes: Uint8Array, algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

/** True when `bytes` have this checksum; false for one that says nothing. */
export function hasChecksum(bytes: Uint8Array, checksum: string): boolean {
  const [algorithm] = checksum.split(':');
  return ALGORITHMS.includes(algorithm) && checksumOf(bytes, algorithm) === checksum;
}
