using System.Text.Json;
using System.Text.Json.Serialization;
using Mixed;

// Allocates 2 GB whose heaps, types, threads and lines have fixed shares, and prints the exact answer as JSON.
var threads = new List<Measured>();

RunThreads(
    ("orders", () =>
    {
        Sites.Constructors(200);
        Sites.Strings(300);
    }),
    ("images", () =>
    {
        Sites.Images(300);
        Sites.Matrices(200);
    }),
    ("pinned", () => Sites.PinnedBuffers(200)),
    ("generics", () =>
    {
        Sites.Generic<int>(100, sizeof(int));
        Sites.Generic<string>(100, 8);
        Box<long>.Make(1, 2_000_000);
        Box<string>.Make("", 2_000_000);
    }),
    ("functions", () =>
    {
        foreach (var _ in Sites.Iterator(100)) { }
        Sites.Lambda(100)();
        Sites.LocalFunction(100);
        Sites.Recursion(100, depth: 150);
    }));
await Sites.AsyncMethod(100);

var rows = Ledger.AllRows();
var answer = new Answer(rows.Sum(row => row.Objects), rows.Sum(row => row.Bytes), rows, threads);
Console.WriteLine(JsonSerializer.Serialize(answer, AnswerJson.Default.Answer));

// Runs each work on a thread of its own, all at once.
void RunThreads(params (string Name, Action Work)[] works)
{
    var running = works.Select(work => new Thread(() => Measure(work.Name, work.Work)) { Name = work.Name }).ToList();
    foreach (var thread in running) thread.Start();
    foreach (var thread in running) thread.Join();
}

// Judges the ledger by the runtime's own count of the thread's bytes.
void Measure(string name, Action work)
{
    var before = GC.GetAllocatedBytesForCurrentThread();
    work();
    var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
    var counted = Ledger.CountedBytes;
    lock (threads) threads.Add(new Measured(name, counted, allocated - counted));
}

/// <summary>Bytes the ledger of a thread counted, and what the runtime says it allocated beside them.</summary>
internal sealed record Measured(string Thread, long Bytes, long OtherBytes);

internal sealed record Answer(long Objects, long Bytes, IReadOnlyList<Row> Rows, IReadOnlyList<Measured> Threads);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Answer))]
internal sealed partial class AnswerJson : JsonSerializerContext;
