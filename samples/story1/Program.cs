namespace CustomerService;

/// <summary>
/// Story 1: a service whose managed heap surges. Nearly all of it are attachments on the large object heap.
/// <c>--size MIB</c> is that of each attachment (100), <c>--delay MS</c> pauses after each, <c>--wait</c> keeps the
/// process alive until Enter or a signal.
/// </summary>
internal static class Program
{
    private const int AttachmentCount = 30;

    private static volatile bool s_stopping;

    private static void Main(string[] args)
    {
        var wait = args.Contains("--wait");
        var delay = Number(args, "--delay", 0);

        Thread[] workers =
        [
            new(() => Orders.Import(delay, () => s_stopping)) { Name = "order-importer" },
            new(() => Prices.Refresh(delay, () => s_stopping)) { Name = "price-refresher" },
        ];
        foreach (var worker in workers) worker.Start();

        var attachments = LoadCustomerAttachments(delay, Number(args, "--size", 100) * 1024 * 1024);

        s_stopping = true;
        foreach (var worker in workers) worker.Join();

        Console.WriteLine($"{attachments.Count} attachments, {attachments.Values.Sum(a => a.LongLength)} bytes");
        if (wait) WaitForEnd();
        GC.KeepAlive(attachments);
    }

    private static Dictionary<int, byte[]> LoadCustomerAttachments(int delay, int attachmentBytes)
    {
        var attachments = new Dictionary<int, byte[]>();
        try
        {
            for (var i = 0; i < AttachmentCount; i++)
            {
                var attachment = new byte[attachmentBytes];
                // Memory counts as resident once it is written.
                for (var at = 0; at < attachment.Length; at += 1024) attachment[at] = 1;
                attachments[i] = attachment;

                if ((i + 1) % 5 == 0) Console.WriteLine($"Loaded {i + 1} attachments");
                Thread.Sleep(delay);
            }
        }
        catch (OutOfMemoryException)
        {
            Console.WriteLine($"Out of memory after {attachments.Count} attachments");
        }

        return attachments;
    }

    private static int Number(string[] args, string option, int otherwise) =>
        Array.IndexOf(args, option) is var at and >= 0 ? int.Parse(args[at + 1]) : otherwise;

    private static void WaitForEnd()
    {
        Console.WriteLine($"PID {Environment.ProcessId} waits for Enter or a signal");
        if (Console.ReadLine() is null) Thread.Sleep(Timeout.Infinite);
    }
}
