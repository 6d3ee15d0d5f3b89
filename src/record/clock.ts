/** CLOCK_MONOTONIC in ns as a double: Node's hrtime, and on Linux the clock of the runtime's event timestamps too. */
export function monotonicNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e9 + nanoseconds;
}
