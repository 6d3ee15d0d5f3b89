using System.Diagnostics;

namespace Spawner;

/// <summary>Starts itself again as a child and waits for it; both allocate a known amount.</summary>
internal static class Program
{
    private static object? s_sink;

    private static int Main(string[] args)
    {
        if (args is ["child"])
        {
            AllocateInChild();
            Console.WriteLine("child done");
            return 0;
        }

        AllocateInParent();
        using var child = Process.Start(Environment.ProcessPath!, "child");
        child.WaitForExit();
        Console.WriteLine("parent done");
        return child.ExitCode;
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
