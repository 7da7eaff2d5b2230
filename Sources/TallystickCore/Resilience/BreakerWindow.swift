/// Outcomes of the latest calls: a number of calls, or those within a span of time.
package struct BreakerWindow: Sendable, Equatable {
    /// Parts into which a span of time is divided; a part is at least a second long.
    static let parts: Int64 = 60

    private struct Part: Sendable, Equatable {
        var number: Int64
        var calls: Int
        var failures: Int
    }

    private let size: StoreSettings.Breaker.Window
    /// For a number of calls: the outcomes, oldest first; true is a failure.
    private var outcomes: [Bool] = []
    /// For a span of time.
    private var recent: [Part] = []
    private var bootID = ""

    init(_ size: StoreSettings.Breaker.Window) { self.size = size }

    /// Reads a stored window; an empty one if the text has another size.
    init(_ size: StoreSettings.Breaker.Window, text: String) {
        self.size = size
        switch size {
        case .count(let count):
            guard text.utf8.allSatisfy({ $0 == 0x30 || $0 == 0x31 }) else { return }
            outcomes = text.utf8.suffix(count).map { $0 == 0x31 }
        case .time:
            let fields = text.split(separator: ";", omittingEmptySubsequences: false)
            guard let name = fields.first else { return }
            bootID = String(name)
            for field in fields.dropFirst() {
                let numbers = field.split(separator: ",").compactMap { Int64($0) }
                guard numbers.count == 3 else {
                    recent = []
                    return
                }
                recent.append(
                    Part(
                        number: numbers[0],
                        calls: Int(clamping: numbers[1]),
                        failures: Int(clamping: numbers[2])
                    )
                )
            }
        }
    }

    /// The text that ``init(_:text:)`` reads: a digit per call (1: failed), or the boot id and the parts.
    var text: String {
        switch size {
        case .count: String(decoding: outcomes.map { $0 ? 0x31 : 0x30 } as [UInt8], as: UTF8.self)
        case .time:
            ([bootID] + recent.map { "\($0.number),\($0.calls),\($0.failures)" })
                .joined(separator: ";")
        }
    }

    var calls: Int { outcomes.count + recent.reduce(0) { $0 + $1.calls } }
    var failures: Int { outcomes.count { $0 } + recent.reduce(0) { $0 + $1.failures } }
    /// 0 to 1; nil without calls.
    var failureRate: Double? { calls == 0 ? nil : Double(failures) / Double(calls) }

    mutating func add(failed: Bool, at now: BreakerTime) {
        switch size {
        case .count(let count):
            outcomes.append(failed)
            if outcomes.count > count { outcomes.removeFirst(outcomes.count - count) }
        case .time(let span):
            // After a restart the machine's clock starts again, and so does the window.
            if bootID != now.bootID { recent = [] }
            bootID = now.bootID
            let part = max(1_000_000, span.microseconds / Self.parts)
            let number = now.boot / part
            let oldest = number - max(1, (span.microseconds + part - 1) / part) + 1
            recent.removeAll { $0.number < oldest || $0.number > number }
            if recent.last?.number != number {
                recent.append(Part(number: number, calls: 0, failures: 0))
            }
            recent[recent.count - 1].calls += 1
            recent[recent.count - 1].failures += failed ? 1 : 0
        }
    }
}
