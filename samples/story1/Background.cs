namespace CustomerService;

/// <summary>A service's ordinary work: small objects that soon die. Its pauses grow with the loader's delay.</summary>
internal static class Orders
{
    private sealed record Order(int Number, string Customer, decimal[] Amounts);

    public static void Import(int delay, Func<bool> stopping)
    {
        var recent = new Queue<Order>();
        while (!stopping())
        {
            for (var i = 0; i < 500; i++)
            {
                recent.Enqueue(new Order(i, $"customer {i}", new decimal[10]));
                if (recent.Count > 1000) recent.Dequeue();
            }
            Thread.Sleep(50 + delay);
        }
    }
}

/// <inheritdoc cref="Orders"/>
internal static class Prices
{
    public static void Refresh(int delay, Func<bool> stopping)
    {
        while (!stopping())
        {
            var prices = new Dictionary<string, double>();
            for (var i = 0; i < 500; i++) prices[$"article {i}"] = i * 1.19;
            Thread.Sleep(50 + delay);
        }
    }
}
