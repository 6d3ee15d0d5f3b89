namespace Exits;

/// <summary>Allocates a known amount, prints "ready", then ends in the way its argument says.</summary>
internal static class Program
{
    private const int Blocks = 640;
    private const int BlockBytes = 100 * 1024;

    private static object? s_sink;

    private static int Main(string[] args)
    {
        AllocateBlocks();
        Console.WriteLine("ready");

        switch (args.FirstOrDefault())
        {
            case "normal":
                return 0;
            case "exit-code":
                return 7;
            case "exception":
                throw new InvalidOperationException("the sample throws as it was asked to");
            case "fail-fast":
                Environment.FailFast("the sample fails fast as it was asked to");
                return 0;
            case "wait":
                Thread.Sleep(Timeout.Infinite);
                return 0;
            case "grow":
                return Grow();
            default:
                Console.Error.WriteLine("usage: exits normal|exit-code|exception|fail-fast|wait|grow");
                return 2;
        }
    }

    /// <summary>62.5 MiB in arrays that land on the large object heap.</summary>
    private static void AllocateBlocks()
    {
        for (var i = 0; i < Blocks; i++) s_sink = new byte[BlockBytes];
    }

    /// <summary>Makes memory resident until something ends the process, and gives up at 4 GiB to spare the machine.</summary>
    private static int Grow()
    {
        var kept = new List<byte[]>();
        while (kept.Count < 256)
        {
            var block = new byte[16 * 1024 * 1024];
            Array.Fill(block, (byte)1);
            kept.Add(block);
            Thread.Sleep(5);
        }
        Console.WriteLine($"nothing stopped the growth at {kept.Count} blocks");
        return 3;
    }
}
