using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mixed;

// Allocates 2 GB whose heaps, types, threads and lines have fixed shares, and prints the exact answer as JSON.
// The threads run one after another, or with --at-once all together: then AllocationTick, which takes every 100 KB of
// the whole process in turn, gives some threads far more than their share.
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
        Sites.Drain(Sites.Iterator(100));
        Sites.Lambda(100)();
        Sites.LocalFunction(100);
        Sites.Recursion(100, depth: 150);
    }));
await Sites.AsyncMethod(100);

var rows = Ledger.AllRows();
var answer = new Answer(rows.Sum(row => row.Objects), rows.Sum(row => row.Bytes), rows, threads);
Console.WriteLine(JsonSerializer.Serialize(answer, AnswerJson.Default.Answer));

// Runs each work on a thread of its own.
void RunThreads(params (string Name, Action Work)[] works)
{
    var atOnce = args.Contains("--at-once");
    var running = new List<Thread>();
    foreach (var (name, work) in works)
    {
        var thread = new Thread(() => Measure(name, work)) { Name = name };
        thread.Start();
        if (!atOnce) thread.Join();
        running.Add(thread);
    }
    foreach (var thread in running) thread.Join();
}

// Judges the ledger by the runtime's own count of the thread's bytes.
void Measure(string name, Action work)
{
    var before = GC.GetAllocatedBytesForCurrentThread();
    work();
    var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
    var counted = Ledger.CountedBytes;
    lock (threads) threads.Add(new Measured(name, Native.gettid(), counted, allocated - counted));
}

/// <summary>
/// Bytes the ledger of a thread counted, and what the runtime says it allocated beside them. The operating system's id
/// tells a thread for sure: one that lives for a moment only may be gone before anybody could read its name.
/// </summary>
internal sealed record Measured(string Thread, int OsId, long Bytes, long OtherBytes);

internal static class Native
{
    [DllImport("libc")]
    public static extern int gettid();
}

internal sealed record Answer(long Objects, long Bytes, IReadOnlyList<Row> Rows, IReadOnlyList<Measured> Threads);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Answer))]
internal sealed partial class AnswerJson : JsonSerializerContext;
