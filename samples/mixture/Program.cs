using System.Runtime.CompilerServices;

namespace Mixture;

/// <summary>
/// Allocates arrays of 36 types with up to four sizes each, from a few samples' worth to hundreds, in an order of chance.
/// <c>mixture SEED</c>; prints name, bytes and objects of each type, one line each.
/// </summary>
internal static class Program
{
    private const double MeanBytesBetweenSamples = 100 * 1024;
    private const int LeastLength = 8, MostLength = 400_000;

    private static object? s_last;

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

        var bytes = new long[types.Length];
        var objects = new long[types.Length];
        foreach (var (type, length) in order)
        {
            allocate[type](length);
            bytes[type] += SizeOf(length);
            objects[type]++;
        }
        for (var type = 0; type < types.Length; type++)
        {
            var pair = types[type].GetGenericArguments();
            Console.WriteLine($"Mixture.Pair<{pair[0]}, {pair[1]}>[] {bytes[type]} {objects[type]}");
        }
    }

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
    private static void New<T>(int length) => s_last = new T[length];
}

internal struct Pair<T, U>;
internal struct A;
internal struct B;
internal struct C;
internal struct D;
internal struct E;
internal struct F;
