import Synchronization
import TallystickCore

/// What the shop says about its orders, and how: a webhook calls at once, a poll asks every few minutes.
enum Shop {
    /// One order that both paths bring alike.
    static let first = order("order-1", total: 10, at: "2026-03-01T10:00:00Z")
    /// The order as the webhook brings it, and as the poll sees it after the customer changed it.
    static let second = order("order-2", total: 20, at: "2026-03-01T10:01:00Z")
    static let secondChanged = order("order-2", total: 25, at: "2026-03-01T10:02:00Z")
    static let third = order("order-3", total: 30, at: "2026-03-01T10:20:00Z")
    /// The poll never brings this one.
    static let payment = Event(
        id: "payment-1",
        source: "/shop",
        type: "order.paid",
        subject: "order-1",
        time: "2026-03-01T10:01:30Z",
        data: .json(#"{"amount":10}"#)
    )

    /// Of two versions of an order the later one counts. Whether a payment was made, a person decides.
    static let settings = """
        {
          "origins": {"webhook": {"priority": 1}, "poll": {"priority": 2}},
          "categories": {
            "orders": {"policy": "latest", "window": "15m"},
            "payments": {"policy": "manual", "window": "15m", "severity": "critical"}
          },
          "policies": {"latest": {"chain": [{"use": "last_write_wins"}]}},
          "classification": {"types": {"order.placed": "orders", "order.paid": "payments"}}
        }
        """

    private static func order(_ id: String, total: Int, at time: String) -> Event {
        Event(
            id: id,
            source: "/shop",
            type: "order.placed",
            subject: id,
            time: time,
            data: .json(#"{"total":\#(total)}"#)
        )
    }
}

/// A clock that the example moves, so that a quarter of an hour passes at once.
final class ExampleClock: Sendable {
    private let time: Mutex<Int64>

    init(_ microseconds: Int64) { time = Mutex(microseconds) }

    var now: Int64 { time.withLock { $0 } }

    func advance(minutes: Int64) { time.withLock { $0 += minutes * 60_000_000 } }

    /// Never moves backwards.
    func advance(to microseconds: Int64) { time.withLock { $0 = max($0, microseconds) } }
}
