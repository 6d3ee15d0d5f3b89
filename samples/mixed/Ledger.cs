using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text;

namespace Mixed;

/// <summary>What one line allocated of one type on threads of one name: a row of the ground truth. Heap: soh, loh or poh.</summary>
internal sealed record Row(string Thread, string Type, string Heap, string Member, string File, int Line, long Objects, long Bytes);

/// <summary>
/// Counts every allocation at the line that makes it. One ledger belongs to one thread and allocates only when a line
/// is seen first; what the thread allocated beside the counted objects is its "other" bytes.
/// </summary>
internal sealed class Ledger
{
    private const int LargeObjectBytes = 85_000;
    private const int MaximumLine = 512;

    [ThreadStatic]
    private static Ledger? t_current;

    private static readonly ConcurrentQueue<Ledger> s_all = new();
    private static object? s_sink;

    private readonly Entry?[] _entries = new Entry?[MaximumLine];
    private readonly string _thread = Thread.CurrentThread.Name ?? "";

    /// <summary>What one line allocated of one type; a generic line allocates several types, chained by Next.</summary>
    private sealed class Entry
    {
        public required Type Type;
        public required string Heap, Member, File;
        public required Entry? Next;
        public long Objects, Bytes;
    }

    /// <summary>
    /// Counts <paramref name="value"/>, an object of <paramref name="bytes"/> bytes that the calling line has just made,
    /// and lets it escape, so that the JIT cannot put it on the stack.
    /// </summary>
    public static T Count<T>(
        T value,
        long bytes,
        bool pinned = false,
        [CallerLineNumber] int line = 0,
        [CallerMemberName] string member = "",
        [CallerFilePath] string file = "")
        where T : class
    {
        s_sink = value;
        var type = value.GetType();
        ref var first = ref (t_current ??= Register())._entries[line];
        var entry = first;
        while (entry is not null && entry.Type != type) entry = entry.Next;
        entry ??= first = new Entry
        {
            Type = type,
            Member = member,
            File = file,
            Heap = pinned ? "poh" : bytes >= LargeObjectBytes ? "loh" : "soh",
            Next = first,
        };
        entry.Objects++;
        entry.Bytes += bytes;
        return value;
    }

    /// <summary>Bytes of an array: its header of 24 bytes and its elements, rounded up to 8.</summary>
    public static long ArrayBytes(long length, int elementBytes) => (24 + length * elementBytes + 7) & ~7L;

    /// <summary>Bytes of a string: its header of 20 bytes, its characters and a closing zero, rounded up to 8.</summary>
    public static long StringBytes(int length) => (20 + 2L * (length + 1) + 7) & ~7L;

    /// <summary>The counted bytes of the calling thread so far.</summary>
    public static long CountedBytes => t_current?.Rows().Sum(row => row.Bytes) ?? 0;

    /// <summary>The rows of all threads, the largest first. Threads of one name share their rows.</summary>
    public static IReadOnlyList<Row> AllRows() =>
    [
        .. s_all
            .SelectMany(ledger => ledger.Rows())
            .GroupBy(row => row with { Objects = 0, Bytes = 0 })
            .Select(group => group.Key with { Objects = group.Sum(row => row.Objects), Bytes = group.Sum(row => row.Bytes) })
            .OrderByDescending(row => row.Bytes),
    ];

    private IEnumerable<Row> Rows()
    {
        for (var line = 0; line < _entries.Length; line++)
        {
            for (var entry = _entries[line]; entry is not null; entry = entry.Next)
            {
                var type = ReadableName(entry.Type);
                yield return new Row(_thread, type, entry.Heap, entry.Member, entry.File, line, entry.Objects, entry.Bytes);
            }
        }
    }

    private static Ledger Register()
    {
        var ledger = new Ledger();
        s_all.Enqueue(ledger);
        return ledger;
    }

    /// <summary>The type as C# writes it with its namespace: "Mixed.Box&lt;System.Int32&gt;".</summary>
    private static string ReadableName(Type type)
    {
        if (type.IsArray) return ReadableName(type.GetElementType()!) + "[]";
        if (!type.IsGenericType) return type.FullName!;

        var text = new StringBuilder(type.GetGenericTypeDefinition().FullName!.Split('`')[0]);
        return text.Append('<').AppendJoin(", ", type.GenericTypeArguments.Select(ReadableName)).Append('>').ToString();
    }
}
