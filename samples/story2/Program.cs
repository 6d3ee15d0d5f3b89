using System.Runtime.InteropServices;

namespace MemoryLeakSimulator;

/// <summary>
/// Story 2: a program whose native memory surges. Three threads leak 2048, 800 and 640 MiB through functions of a C++
/// library, in chunks of 100 MiB. <c>--delay MS</c> is the pause after each chunk (100), <c>--wait-for-enter</c> waits
/// before the first, <c>--wait</c> keeps the process alive after the last until Enter or a signal.
/// </summary>
internal static class Program
{
    private const int MiB = 1024 * 1024;
    private const int ChunkMiB = 100;

    private static void Main(string[] args)
    {
        var delay = Array.IndexOf(args, "--delay") is var at and >= 0 ? int.Parse(args[at + 1]) : 100;
        if (args.Contains("--wait-for-enter")) WaitForEnter();

        Thread[] threads =
        [
            new(() => Leak(HeapMalloc1, 2048, delay)) { Name = "leaker-1" },
            new(() => Leak(HeapMalloc2, 800, delay)) { Name = "leaker-2" },
            new(() => Leak(HeapMalloc3, 640, delay)) { Name = "leaker-3" },
        ];
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();

        Console.WriteLine("3488 MiB leaked");
        if (args.Contains("--wait")) WaitForEnter();
    }

    private static void Leak(Action<int> heapMalloc, int mebibytes, int delay)
    {
        for (var left = mebibytes; left > 0; left -= ChunkMiB)
        {
            heapMalloc(Math.Min(left, ChunkMiB) * MiB);
            Thread.Sleep(delay);
        }
    }

    private static void WaitForEnter()
    {
        Console.WriteLine($"PID {Environment.ProcessId} waits for Enter or a signal");
        if (Console.ReadLine() is null) Thread.Sleep(Timeout.Infinite);
    }

    [DllImport("Example")]
    private static extern void HeapMalloc1(int bytes);

    [DllImport("Example")]
    private static extern void HeapMalloc2(int bytes);

    [DllImport("Example")]
    private static extern void HeapMalloc3(int bytes);
}
