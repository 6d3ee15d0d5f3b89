using System.Runtime.CompilerServices;

namespace Mixed;

/// <summary>An object of 40 bytes whose constructor allocates too.</summary>
internal sealed class Order
{
    public const int Bytes = 40;
    private const int Lines = 60;

    public readonly long Number;
    public readonly long Customer;
    public readonly decimal[] Amounts;

    [MethodImpl(MethodImplOptions.NoInlining)]
    public Order(long number)
    {
        Number = number;
        Customer = number % 97;
        Amounts = Ledger.Count(new decimal[Lines], Ledger.ArrayBytes(Lines, sizeof(decimal)));
    }
}

/// <summary>A generic class: 24 bytes with a value of up to 8 bytes.</summary>
internal sealed class Box<T>(T value)
{
    public const int Bytes = 24;
    public readonly T Value = value;

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Make(T value, int count)
    {
        for (var i = 0; i < count; i++)
        {
            Ledger.Count(new Box<T>(value), Bytes);
        }
    }
}

/// <summary>
/// The allocating lines, one way of writing code each. Every method makes objects of known sizes and nothing else, but
/// for the few objects that its own state needs. No method is inlined, so the function of a line is known too.
/// </summary>
internal static class Sites
{
    private const int MegaByte = 1_000_000;

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Constructors(int megabytes)
    {
        var count = megabytes * MegaByte / (Order.Bytes + (int)Ledger.ArrayBytes(60, sizeof(decimal)));
        for (var i = 0; i < count; i++)
        {
            Ledger.Count(new Order(i), Order.Bytes);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Strings(int megabytes)
    {
        for (var i = 0; i < megabytes * 1000; i++)
        {
            Ledger.Count(new string('x', 490), Ledger.StringBytes(490));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Images(int megabytes)
    {
        for (var i = 0; i < megabytes; i++)
        {
            Ledger.Count(new byte[MegaByte], Ledger.ArrayBytes(MegaByte, sizeof(byte)));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Matrices(int megabytes)
    {
        for (var i = 0; i < megabytes * 10; i++)
        {
            Ledger.Count(new double[12_500], Ledger.ArrayBytes(12_500, sizeof(double)));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void PinnedBuffers(int megabytes)
    {
        for (var i = 0; i < megabytes * 100; i++)
        {
            Ledger.Count(GC.AllocateArray<byte>(10_000, pinned: true), Ledger.ArrayBytes(10_000, sizeof(byte)), pinned: true);
        }
    }

    /// <summary>A generic method; over a reference type the runtime shares its code between all of them.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Generic<T>(int megabytes, int elementBytes)
    {
        for (var i = 0; i < megabytes * 1000; i++)
        {
            Ledger.Count(new T[1000 / elementBytes], Ledger.ArrayBytes(1000 / elementBytes, elementBytes));
        }
    }

    /// <summary>Awaits before each part, so that all of it runs on the thread pool.</summary>
    public static async Task AsyncMethod(int megabytes)
    {
        for (var part = 0; part < 10; part++)
        {
            await Task.Yield();
            for (var i = 0; i < megabytes * 100; i++)
            {
                Ledger.Count(new char[500], Ledger.ArrayBytes(500, sizeof(char)));
            }
        }
    }

    /// <summary>
    /// Runs an iterator to its end. Not optimised: the JIT would inline the iterator here, and the stacks that the runtime
    /// reports do not tell inlined frames.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoOptimization)]
    public static void Drain<T>(IEnumerable<T> items)
    {
        foreach (var _ in items) { }
    }

    public static IEnumerable<short[]> Iterator(int megabytes)
    {
        for (var i = 0; i < megabytes * 1000; i++)
        {
            yield return Ledger.Count(new short[500], Ledger.ArrayBytes(500, sizeof(short)));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Action Lambda(int megabytes) => () =>
    {
        for (var i = 0; i < megabytes * 1000; i++)
        {
            Ledger.Count(new float[250], Ledger.ArrayBytes(250, sizeof(float)));
        }
    };

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void LocalFunction(int megabytes)
    {
        Fill(megabytes * 1000);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Fill(int count)
        {
            for (var i = 0; i < count; i++)
            {
                Ledger.Count(new uint[250], Ledger.ArrayBytes(250, sizeof(uint)));
            }
        }
    }

    /// <summary>Deeper than the 100 frames the runtime records: the frames nearest the thread's start are lost.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int Recursion(int megabytes, int depth)
    {
        if (depth > 0) return Recursion(megabytes, depth - 1) + 1;

        for (var i = 0; i < megabytes * 1000; i++)
        {
            Ledger.Count(new ulong[125], Ledger.ArrayBytes(125, sizeof(ulong)));
        }
        return 0;
    }
}
