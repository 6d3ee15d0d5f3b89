using System.Diagnostics;

namespace Churn;

/// <summary>
/// Allocates and uses a fixed number of bytes as fast as it can, some 4 GB/s on two cores, for measuring what recording
/// costs: the same work in every run.
/// <c>churn [MEGABYTES [THREADS]]</c>; prints what it did as JSON.
/// </summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        var megabytes = args.Length > 0 ? long.Parse(args[0]) : 8000;
        var threadCount = args.Length > 1 ? int.Parse(args[1]) : 2;
        var watch = Stopwatch.StartNew();

        var workers = new Worker[threadCount];
        for (var i = 0; i < threadCount; i++) workers[i] = new Worker(i, megabytes * 1_000_000 / threadCount);
        foreach (var worker in workers) worker.Thread.Start();
        foreach (var worker in workers) worker.Thread.Join();

        var bytes = workers.Sum(worker => worker.Allocated);
        var seconds = watch.Elapsed.TotalSeconds;
        var cpuSeconds = Environment.CpuUsage.TotalTime.TotalSeconds;
        Console.WriteLine($$"""{"bytes": {{bytes}}, "seconds": {{seconds:F3}}, "cpuSeconds": {{cpuSeconds:F3}}}""");
        return 0;
    }
}
