using System.Diagnostics;
using Microsoft.Diagnostics.Tracing;
using Microsoft.Diagnostics.Tracing.Etlx;
using Microsoft.Diagnostics.Tracing.Parsers.Clr;

namespace TraceEventJudge;

internal sealed record MethodCount(string Method, long Count);

/// <summary>What TraceLog says: it indexes the whole file first, then every allocation's stack is walked with names.</summary>
internal sealed class TraceLogJudge : Judgement
{
    /// <summary>Part of the seconds that went into the conversion to TraceLog's own file.</summary>
    public required double CreateSeconds { get; init; }
    public required long Frames { get; init; }
    public required long FramesUnresolved { get; init; }

    /// <summary>Innermost managed methods of the allocation events, the most frequent first.</summary>
    public required IReadOnlyList<MethodCount> Leaves { get; init; }

    public static TraceLogJudge Read(string file)
    {
        var folder = Directory.CreateTempSubdirectory("traceevent-judge-");
        try
        {
            return Read(file, Path.Combine(folder.FullName, "trace.etlx"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static TraceLogJudge Read(string file, string converted)
    {
        var watch = Stopwatch.StartNew();
        using var log = new TraceLog(TraceLog.CreateFromEventPipeDataFile(file, converted));
        var createSeconds = watch.Elapsed.TotalSeconds;

        var (ticks, samples) = (new Allocations(), new Allocations());
        var leaves = new Dictionary<string, long>();
        long events = 0, frames = 0, unresolved = 0;
        foreach (var e in log.Events)
        {
            events++;
            if (e is GCAllocationTickTraceData tick) ticks.Add(tick.TypeID, tick.AllocationAmount64, () => tick.TypeName);
            else if (e is AllocationSampledTraceData sample) samples.Add((ulong)sample.TypeID, sample.ObjectSize, () => sample.TypeName);
            else continue;

            string? leaf = null;
            for (var stack = e.CallStack(); stack is not null; stack = stack.Caller)
            {
                frames++;
                var name = stack.CodeAddress.FullMethodName;
                if (name.Length == 0) unresolved++;
                leaf ??= name;
            }
            leaves[leaf ?? ""] = leaves.GetValueOrDefault(leaf ?? "") + 1;
        }
        var seconds = watch.Elapsed.TotalSeconds;

        return new TraceLogJudge
        {
            Seconds = seconds,
            CreateSeconds = createSeconds,
            Events = events,
            EventsLost = log.EventsLost,
            Ticks = ticks,
            Samples = samples,
            Frames = frames,
            FramesUnresolved = unresolved,
            Leaves = [.. leaves.Select(at => new MethodCount(at.Key, at.Value)).OrderByDescending(leaf => leaf.Count)],
        };
    }
}
