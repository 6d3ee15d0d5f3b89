using System.Diagnostics;

// The monotonic clock in nanoseconds at the first managed instruction: what start-up cost is measured by.
var now = Stopwatch.GetTimestamp() * (1_000_000_000 / Stopwatch.Frequency);
Console.WriteLine(now);
