using System.Diagnostics;

namespace Spawner;

/// <summary>
/// Starts itself again as a child and waits for it; both allocate a known amount. With "wait" each says when it has
/// allocated, and goes on at a line of its standard input.
/// </summary>
internal static class Program
{
    private static object? s_sink;

    private static int Main(string[] args)
    {
        var waits = args.Contains("wait");
        if (args.Contains("child"))
        {
            AllocateInChild();
            if (waits) WaitForLine("child ready");
            Console.WriteLine("child done");
            return 0;
        }

        AllocateInParent();
        if (waits) WaitForLine("parent ready");
        using var child = Process.Start(Environment.ProcessPath!, ["child", .. args]);
        child.WaitForExit();
        Console.WriteLine("parent done");
        return child.ExitCode;
    }

    private static void WaitForLine(string prompt)
    {
        Console.WriteLine(prompt);
        Console.ReadLine();
    }

    /// <summary>200 MB and a little: the array's header is 24 bytes.</summary>
    private static void AllocateInParent()
    {
        for (var i = 0; i < 20_000; i++) s_sink = new byte[10_000];
    }

    /// <summary>100 MB and a little.</summary>
    private static void AllocateInChild()
    {
        for (var i = 0; i < 10_000; i++) s_sink = new byte[10_000];
    }
}
