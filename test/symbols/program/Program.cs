using System.Diagnostics;
using System.Diagnostics.Tracing;
using System.Runtime.CompilerServices;

namespace Shapes;

// Each shape of method allocates one array of its own length, and prints that length, the name it should be shown under,
// and its line as the compiler and as the runtime's own stack trace give it.
static class Judge
{
    static int next = 200_000;

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static byte[] Allocate(string name, [CallerLineNumber] int line = 0)
    {
        next += 64;
        var array = new byte[next];
        var frame = new StackTrace(1, true).GetFrame(0)!;
        Console.WriteLine($"allocated\t{next}\t{name}\t{line}\t{frame.GetFileLineNumber()}");
        return array;
    }
}

interface IStore { object Save(); }

class Store<T> : IStore
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    object IStore.Save() => Judge.Allocate("Shapes.Store<System.Int32>.Shapes.IStore.Save");

    [MethodImpl(MethodImplOptions.NoInlining)]
    public object Keep<V>(V value) => Judge.Allocate(typeof(T) == typeof(int) ? "Shapes.Store<System.Int32>.Keep" : "Shapes.Store<T>.Keep");

    public class Shelf<U>
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        public object Put() => Judge.Allocate("Shapes.Store<System.Int32>.Shelf<T>.Put");
    }
}

class Widget
{
    public static readonly object Shared = Judge.Allocate("Shapes.Widget (static init)");
    readonly object body;

    public Widget()
    {
        body = Judge.Allocate("new Shapes.Widget");
    }

    public object Size
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        get { GC.KeepAlive(body); return Judge.Allocate("Shapes.Widget.get_Size"); }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Widget operator +(Widget a, Widget b)
    {
        GC.KeepAlive(Judge.Allocate("Shapes.Widget.operator +"));
        return a;
    }
}

static class Program
{
    static async Task<object> LoadAsync(string path)
    {
        await Task.Yield();
        var first = Judge.Allocate("Shapes.Program.LoadAsync");
        await Task.Delay(1);
        return new object[]
        {
            first,
            Judge.Allocate("Shapes.Program.LoadAsync"),
        };
    }

    static IEnumerable<object> Pages(int count)
    {
        for (var i = 0; i < count; i++)
        {
            yield return Judge.Allocate("Shapes.Program.Pages");
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static object Deep(int depth)
    {
        if (depth > 0) return Deep(depth - 1);
        return Judge.Allocate("Shapes.Program.Deep");
    }

    static object Parse(string text)
    {
        try
        {
            return int.Parse(text);
        }
        catch (FormatException)
        {
            return Judge.Allocate("Shapes.Program.Parse");
        }
        finally
        {
            Judge.Allocate("Shapes.Program.Parse");
        }
    }

    static async Task Main()
    {
        using var listener = args0 == "entries" ? new EntryPoints() : null;
        var captured = new object();
        GC.KeepAlive(Judge.Allocate("Shapes.Program.Main"));
        await LoadAsync("x");
        foreach (var page in Pages(2)) GC.KeepAlive(page);

        [MethodImpl(MethodImplOptions.NoInlining)]
        object Fill(int count)
        {
            GC.KeepAlive(captured);
            return Judge.Allocate("Shapes.Program.Main.Fill");
        }

        Fill(1);
        Func<int, object> lambda = count => Judge.Allocate("Shapes.Program.Main.<lambda>");
        lambda(1);
        Func<Task> asyncLambda = async () =>
        {
            await Task.Yield();
            GC.KeepAlive(captured);
            GC.KeepAlive(Judge.Allocate("Shapes.Program.Main.<lambda>"));
        };
        await asyncLambda();
        ((IStore)new Store<int>()).Save();
        new Store<int>().Keep("x");
        new Store<string>().Keep(1);
        new Store<int>.Shelf<string>().Put();
        GC.KeepAlive(Widget.Shared);
        GC.KeepAlive((new Widget() + new Widget()).Size);
        Deep(120);
        Parse("no number");
        new Dictionary<string, int> { ["a"] = 1 }.Keys.OrderBy(key => key).ToList().ForEach(GC.KeepAlive);
        Console.WriteLine(string.Join(",", System.Text.Json.JsonSerializer.Serialize(new[] { 1, 2 })));
        if (listener != null)
        {
            foreach (var line in File.ReadLines("/proc/self/maps")) Console.WriteLine($"map\t{line}");
        }
    }

    static readonly string args0 = Environment.GetCommandLineArgs().Last();
}

/// Prints the entry point of each ReadyToRun method as the runtime looks it up.
sealed class EntryPoints : EventListener
{
    protected override void OnEventSourceCreated(EventSource source)
    {
        if (source.Name == "Microsoft-Windows-DotNETRuntime") EnableEvents(source, EventLevel.Verbose, (EventKeywords)0x2000000000);
    }

    protected override void OnEventWritten(EventWrittenEventArgs e)
    {
        if (e.EventName != "R2RGetEntryPoint" || e.Payload is not [_, string type, string name, _, ulong entry, ..]) return;
        if (entry != 0) Console.WriteLine($"entry\t{entry}\t{type}\t{name}");
    }
}
