/// Writes CloudEvents of a monitoring system as NDJSON: random ids, about 330 bytes an event, the same for
/// the same seed.
///
/// ```swift
/// var generator = EventGenerator(seed: 7, streams: 20)
/// let delivery = IngestInput.bytes(generator.events(1_000), named: "generated")
/// ```
public struct EventGenerator: Sendable {
    private var random: SeededGenerator
    private let streams: Int
    private var sequence = 0

    /// - parameters:
    ///   - seed: the same seed gives the same events, on every machine.
    ///   - streams: the number of streams (source and subject) over which the events are spread; at least 1.
    public init(seed: UInt64, streams: Int) {
        random = SeededGenerator(seed: seed)
        self.streams = max(1, streams)
    }

    private static let types = [
        "health_check", "circuit_breaker_open", "cache_metrics", "response_time", "session_start",
        "session_end", "connection_status", "stats", "test_event", "semaphore_metrics",
    ]
    private static let statuses = ["ok", "degraded", "down", "starting"]

    /// Appends the next event and a line feed to `bytes`.
    public mutating func appendEvent(to bytes: inout [UInt8]) {
        let stream = Int(random.next() % UInt64(streams))
        let type = Self.types[Int(random.next() % UInt64(Self.types.count))]
        let status = Self.statuses[Int(random.next() % UInt64(Self.statuses.count))]
        let duration = random.next() % 100_000
        sequence += 1
        let second = sequence / 1000 % 60
        let minute = sequence / 60_000 % 60
        let text =
            "{\"specversion\":\"1.0\",\"id\":\"\(identifier())\","
            + "\"source\":\"https://monitoring.example/service-\(stream % 50)\",\"type\":\"\(type)\","
            + "\"subject\":\"host-\(stream)\",\"time\":\"2026-03-01T10:\(padded(minute)):\(padded(second)).\(100 + sequence % 900)Z\","
            + "\"datacontenttype\":\"application/json\",\"data\":{\"service\":\"service-\(stream % 50)\","
            + "\"status\":\"\(status)\",\"duration_ms\":\(duration / 100).\(1 + duration % 9),"
            + "\"checks\":\(sequence % 1000),\"region\":\"eu-central-\(stream % 3)\"}}\n"
        bytes.append(contentsOf: text.utf8)
    }

    /// The next `count` events as NDJSON.
    public mutating func events(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * 400)
        for _ in 0..<count { appendEvent(to: &bytes) }
        return bytes
    }

    private func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    private mutating func identifier() -> String {
        let high = random.next()
        let low = random.next()
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for index in 0..<32 {
            if index == 8 || index == 12 || index == 16 || index == 20 { text.append(0x2D) }
            let word = index < 16 ? high : low
            text.append(digits[Int((word >> UInt64((15 - index % 16) * 4)) & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
