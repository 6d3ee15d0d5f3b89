using System.Runtime.CompilerServices;

namespace Mixture;

/// <summary>
/// Allocates arrays of 36 types with up to four sizes each, from a few samples' worth to hundreds, in an order of chance and
/// on one to eight threads at once. <c>mixture SEED</c>; prints <c>type NAME BYTES</c> and <c>thread NAME BYTES</c>.
/// </summary>
internal static class Program
{
    private const double MeanBytesBetweenSamples = 100 * 1024;
    private const int LeastLength = 8, MostLength = 400_000;

    [ThreadStatic]
    private static object? t_last;

    private static void Main(string[] args)
    {
        var random = new Random(int.Parse(args[0]));
        Type[] letters = [typeof(A), typeof(B), typeof(C), typeof(D), typeof(E), typeof(F)];
        var types = letters.SelectMany(one => letters.Select(two => typeof(Pair<,>).MakeGenericType(one, two))).ToArray();
        var allocate = types.Select(Allocation).ToArray();

        var plan = new List<(int Type, int Length)>();
        for (var type = 0; type < types.Length; type++) Plan(plan, type, random);
        var order = plan.ToArray();
        random.Shuffle(order);

        var threads = Enumerable.Range(0, 1 + random.Next(8)).Select(_ => new long[types.Length]).ToArray();
        var starts = Shares(order.Length, threads.Length, random);
        var running = threads.Select((bytes, number) => new Thread(() =>
        {
            foreach (var (type, length) in order.AsSpan(starts[number]..starts[number + 1]))
            {
                allocate[type](length);
                bytes[type] += SizeOf(length);
            }
        }) { Name = $"worker-{number}" }).ToList();
        running.ForEach(thread => thread.Start());
        running.ForEach(thread => thread.Join());

        for (var type = 0; type < types.Length; type++)
        {
            var pair = types[type].GetGenericArguments();
            Console.WriteLine($"type Mixture.Pair<{pair[0]}, {pair[1]}>[] {threads.Sum(bytes => bytes[type])}");
        }
        for (var number = 0; number < threads.Length; number++)
            Console.WriteLine($"thread worker-{number} {threads[number].Sum()}");
    }

    /// <summary>Where each of the shares begins, of sizes of chance, and the end of the last.</summary>
    private static int[] Shares(int length, int shares, Random random) =>
        [0, .. Enumerable.Range(1, shares - 1).Select(_ => random.Next(length)).Order(), length];

    private static void Plan(List<(int, int)> plan, int type, Random random)
    {
        var samples = Math.Pow(300, random.NextDouble());
        var sizes = 1 + random.Next(4);
        for (var i = 0; i < sizes; i++)
        {
            var length = (int)(LeastLength * Math.Pow((double)MostLength / LeastLength, random.NextDouble()));
            var chance = 1 - Math.Exp(-SizeOf(length) / MeanBytesBetweenSamples);
            var count = Math.Min((int)(samples * 2 * random.NextDouble() / sizes / chance), 400_000);
            for (var j = 0; j < count; j++) plan.Add((type, length));
        }
    }

    /// <summary>Bytes of an array of one-byte elements: header, method table, length and elements, in eights.</summary>
    private static long SizeOf(int length) => (24 + length + 7) / 8 * 8;

    private static Action<int> Allocation(Type type) =>
        typeof(Program)
            .GetMethod(nameof(New), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!
            .MakeGenericMethod(type)
            .CreateDelegate<Action<int>>();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void New<T>(int length) => t_last = new T[length];
}

internal struct Pair<T, U>;
internal struct A;
internal struct B;
internal struct C;
internal struct D;
internal struct E;
internal struct F;
