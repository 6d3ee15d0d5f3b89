namespace Churn;

/// <summary>
/// One thread that allocates objects of several types, sizes and call paths, writes and reads them once as programs do,
/// and keeps the last few thousand.
/// </summary>
internal sealed class Worker
{
    private sealed class Item
    {
        public long Key;
        public object? Value;
    }

    private readonly object?[] _recent = new object?[4096];
    private readonly long _goal;
    private long _checksum;

    public Worker(int number, long bytes)
    {
        _goal = bytes;
        Thread = new Thread(Run) { Name = $"churn-{number}" };
    }

    public Thread Thread { get; }

    public long Allocated { get; private set; }

    private void Run()
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var round = 0; Allocated < _goal; round++)
        {
            switch (round % 4)
            {
                case 0: MakeItems(); break;
                case 1: MakeText(); break;
                case 2: MakeBuffers(); break;
                default: MakeList(); break;
            }
            Allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    private void Keep(int i, object value) => _recent[i & (_recent.Length - 1)] = value;

    private void MakeItems()
    {
        for (var i = 0; i < 2000; i++)
        {
            var values = new int[10];
            for (var k = 0; k < values.Length; k++) values[k] = i + k;
            Keep(i, new Item { Key = i, Value = values });
        }
    }

    private void MakeText()
    {
        for (var i = 0; i < 500; i++)
        {
            var text = new string('x', 100 + i % 100);
            foreach (var character in text) _checksum += character;
            Keep(i, text);
        }
    }

    private void MakeBuffers()
    {
        for (var i = 0; i < 200; i++)
        {
            var buffer = new byte[1000 + i];
            for (var k = 0; k < buffer.Length; k++) buffer[k] = (byte)(k * i);
            foreach (var value in buffer) _checksum += value;
            Keep(i, buffer);
        }
    }

    private void MakeList()
    {
        var list = new List<long>();
        for (var i = 0; i < 5_000; i++) list.Add(i);
        foreach (var value in list) _checksum += value;
        Keep(0, list);
    }
}
