using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PInvokeChurn;

/// <summary>
/// churn out of managed code: each pair of malloc and free is one P/Invoke below DEPTH managed frames.
/// <c>pinvoke-churn [PAIRS [DEPTH [THREADS]]]</c> (2000000 8 2); prints the same JSON.
/// </summary>
internal static class Program
{
    private static volatile int s_frames;

    private static void Main(string[] args)
    {
        var pairs = args.Length > 0 ? int.Parse(args[0]) : 2_000_000;
        var depth = args.Length > 1 ? int.Parse(args[1]) : 8;
        var threadCount = args.Length > 2 ? int.Parse(args[2]) : 2;

        // Until everything is compiled for good.
        for (var i = 0; i < 10; i++)
        {
            Churn(20_000, depth, seed: 1);
            Thread.Sleep(100);
        }

        var seconds = new double[threadCount];
        var threads = new Thread[threadCount];
        for (var i = 0; i < threadCount; i++)
        {
            var number = i;
            threads[i] = new Thread(() => seconds[number] = Churn(pairs, depth, (ulong)number + 1)) { Name = $"churn-{i}" };
        }
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();

        var nsPerPair = (seconds.Sum() / threadCount / pairs * 1e9).ToString("F2", CultureInfo.InvariantCulture);
        Console.WriteLine(
            $$"""{"pairs": {{pairs}}, "depth": {{depth}}, "threads": {{threadCount}}, "paths": 1, "nsPerPair": {{nsPerPair}}}""");
    }

    private static double Churn(int pairs, int depth, ulong seed)
    {
        var watch = Stopwatch.StartNew();
        for (var i = 0; i < pairs; i++)
        {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            Descend(depth, 16 + (int)(seed % 241));
        }
        return watch.Elapsed.TotalSeconds;
    }

    /// <summary>The work after the call keeps the frame on the stack.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Descend(int depth, int size)
    {
        if (depth == 0)
        {
            churn_pair(size);
            return;
        }
        Descend(depth - 1, size);
        s_frames = depth;
    }

    [DllImport("churn")]
    private static extern void churn_pair(int size);
}
