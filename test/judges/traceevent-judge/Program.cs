using System.Text.Json;
using TraceEventJudge;

// What Microsoft's TraceEvent library makes of a .nettrace file, as JSON: the figures memsurge's reader is compared with.
Judgement? judgement = args switch
{
    ["stream", var file] => StreamJudge.Read(file),
    ["tracelog", var file] => TraceLogJudge.Read(file),
    _ => null,
};
if (judgement is null)
{
    Console.Error.WriteLine("usage: traceevent-judge stream|tracelog FILE.nettrace");
    return 2;
}

var options = new JsonSerializerOptions { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };
Console.WriteLine(JsonSerializer.Serialize(judgement, judgement.GetType(), options));
return 0;
