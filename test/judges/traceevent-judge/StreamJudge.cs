using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Diagnostics.Tracing;
using Microsoft.Diagnostics.Tracing.Parsers;
using Microsoft.Diagnostics.Tracing.Parsers.Clr;

namespace TraceEventJudge;

internal sealed record EventCount(string Provider, int Id, int Version, long Count);

/// <summary>What the streaming parser says: it calls back per event, in time order.</summary>
internal sealed class StreamJudge : Judgement
{
    public required long Gcs { get; init; }
    public required IReadOnlyList<EventCount> EventCounts { get; init; }

    public static StreamJudge Read(string file)
    {
        var watch = Stopwatch.StartNew();
        var (ticks, samples) = (new Allocations(), new Allocations());
        var counts = new Dictionary<(Guid Provider, int Id, int Version), long>();
        var names = new Dictionary<Guid, string>
        {
            [ClrTraceEventParser.ProviderGuid] = ClrTraceEventParser.ProviderName,
            [ClrRundownTraceEventParser.ProviderGuid] = ClrRundownTraceEventParser.ProviderName,
        };
        long events = 0, gcs = 0;

        using var source = new EventPipeEventSource(file);
        source.Clr.GCAllocationTick += e => ticks.Add(e.TypeID, e.AllocationAmount64, () => e.TypeName);
        source.Clr.AllocationSampling += e => samples.Add((ulong)e.TypeID, e.ObjectSize, () => e.TypeName);
        source.Clr.GCStart += _ => gcs++;
        source.AllEvents += e =>
        {
            events++;
            var key = (e.ProviderGuid, (int)e.ID, e.Version);
            CollectionsMarshal.GetValueRefOrAddDefault(counts, key, out var known)++;
            if (!known) names.TryAdd(e.ProviderGuid, e.ProviderName);
        };
        source.Process();
        var seconds = watch.Elapsed.TotalSeconds;

        return new StreamJudge
        {
            Seconds = seconds,
            Events = events,
            EventsLost = source.EventsLost,
            Gcs = gcs,
            Ticks = ticks,
            Samples = samples,
            EventCounts =
            [
                .. counts
                    .Select(at => new EventCount(names[at.Key.Provider], RuntimeId(at.Key.Id), at.Key.Version, at.Value))
                    .OrderByDescending(count => count.Count),
            ],
        };
    }

    /// <summary>TraceEvent gives the GC's dynamic events ids of its own, from the top of the range; the runtime's is 39.</summary>
    private static int RuntimeId(int id) => id > 0xFF00 ? 39 : id;
}
