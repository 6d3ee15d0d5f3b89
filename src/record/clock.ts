/** CLOCK_MONOTONIC in ns as a double: Node's hrtime, and on Linux the clock of the runtime's event timestamps too. */
export function monotonicNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e9 + nanoseconds;
}

/**
 * CPU time that `work` takes, ns. On a busy machine the clock also counts the time that others had: a pause in proportion
 * to it grows to seconds, in which short processes come and go unseen.
 */
export function costOf(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) * 1e3;
}
