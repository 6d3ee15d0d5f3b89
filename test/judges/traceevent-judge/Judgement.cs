using System.Runtime.InteropServices;

namespace TraceEventJudge;

/// <summary>Figures of one file. Seconds count the library's work only, not the start of the process.</summary>
internal abstract class Judgement
{
    public required double Seconds { get; init; }
    public required long Events { get; init; }
    public required long EventsLost { get; init; }
    public required Allocations Ticks { get; init; }
    public required Allocations Samples { get; init; }
}

/// <summary>
/// Allocation events of one kind. Bytes are what the event itself says: the amount of an AllocationTick, the object's
/// size of an AllocationSampled.
/// </summary>
internal sealed class Allocations
{
    private readonly Dictionary<ulong, TypeTotal> _byTypeId = [];

    public long Count => _byTypeId.Values.Sum(total => total.Count);

    public long Bytes => _byTypeId.Values.Sum(total => total.Bytes);

    public IReadOnlyList<TypeTotal> Types =>
    [
        .. _byTypeId.Values
            .GroupBy(total => total.Type)
            .Select(group => new TypeTotal(group.Key) { Count = group.Sum(t => t.Count), Bytes = group.Sum(t => t.Bytes) })
            .OrderByDescending(total => total.Bytes),
    ];

    /// <summary>Adds one event; the name is decoded only when its type is new.</summary>
    public void Add(ulong typeId, long bytes, Func<string> name)
    {
        ref var total = ref CollectionsMarshal.GetValueRefOrAddDefault(_byTypeId, typeId, out _);
        total ??= new TypeTotal(name());
        total.Count++;
        total.Bytes += bytes;
    }
}

internal sealed class TypeTotal(string type)
{
    public string Type { get; } = type;
    public long Count { get; set; }
    public long Bytes { get; set; }
}
