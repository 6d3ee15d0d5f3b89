using System.Diagnostics.Tracing;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Frameless;

/// <summary>
/// Leaks 1000 blocks of 100 bytes through one-call methods once they are compiled for good. Tiny1 and Tiny2 then have no
/// frame pointer, Tiny3 has one because it calls native code: who follows frame pointers loses Tiny1 and LeakBlocks.
/// </summary>
internal static class Program
{
    private static int s_sum;

    private static void Main()
    {
        using (var compiled = new OptimizedMethods(typeof(Program).FullName!))
        {
            while (!compiled.Contains("Tiny1") || !compiled.Contains("Tiny2") || !compiled.Contains("Tiny3"))
            {
                for (var i = 0; i < 100; i++) Tiny1(-1);
                Thread.Sleep(10);
            }
        }
        LeakBlocks();
        Console.WriteLine("1000 blocks of 100 bytes leaked by optimised code");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LeakBlocks()
    {
        for (var i = 0; i < 1000; i++) s_sum += Tiny1(100);
    }

    // The addition after each call keeps it a call: a last one would become a jump, and the method truly be gone.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Tiny1(int size) => Tiny2(size) + 1;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Tiny2(int size) => Tiny3(size) + 1;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Tiny3(int size) => leak_block(size) + 1;

    [DllImport("frameless")]
    private static extern int leak_block(int size);
}

/// <summary>Names of a type's methods that were compiled at tier 1, as the runtime reports them.</summary>
internal sealed class OptimizedMethods(string type) : EventListener
{
    private const EventKeywords Jit = (EventKeywords)0x10;
    private const int MethodLoadVerbose = 143;
    private const uint Tier1 = 4;

    private readonly HashSet<string> _names = [];

    public bool Contains(string name)
    {
        lock (_names) return _names.Contains(name);
    }

    protected override void OnEventSourceCreated(EventSource source)
    {
        if (source.Name == "Microsoft-Windows-DotNETRuntime") EnableEvents(source, EventLevel.Verbose, Jit);
    }

    protected override void OnEventWritten(EventWrittenEventArgs written)
    {
        if (written.EventId != MethodLoadVerbose || (string?)Field(written, "MethodNamespace") != type) return;
        // The tier is in bits 7 to 9 of the method's flags.
        var tier = (uint)Field(written, "MethodFlags")! >> 7 & 7;
        if (tier != Tier1) return;
        lock (_names) _names.Add((string)Field(written, "MethodName")!);
    }

    private static object? Field(EventWrittenEventArgs written, string name) =>
        written.Payload![written.PayloadNames!.IndexOf(name)];
}
