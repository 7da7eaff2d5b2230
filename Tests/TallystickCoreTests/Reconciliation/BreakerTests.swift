import TallystickCore
import Testing

/// The settings of a breaker, from the JSON of a settings file.
private func settings(_ members: String = "") throws -> StoreSettings.Breaker {
    let json = "{\"breakers\":{\"default\":{\(members)}}}"
    return try #require(try StoreSettings(json: Array(json.utf8)).breakers.first)
}

private func at(_ seconds: Double, boot: String = "a", wallShift: Int64 = 0) -> BreakerTime {
    let microseconds = Int64(seconds * 1_000_000)
    return BreakerTime(
        bootID: boot,
        boot: microseconds,
        wall: 1_700_000_000_000_000 + microseconds + wallShift
    )
}

extension CircuitBreaker {
    /// One call, as made by ingest; returns the change.
    fileprivate mutating func call(failed: Bool, at now: BreakerTime) -> [State] {
        let (isPermitted, changes) = permit(at: now)
        let last = isPermitted ? record(failed: failed, at: now) : nil
        return (changes + [last].compactMap { $0 }).map(\.to)
    }

    fileprivate mutating func calls(_ outcomes: String, at now: BreakerTime) -> [State] {
        outcomes.flatMap { call(failed: $0 == "x", at: now) }
    }
}

@Suite("Circuit breaker")
struct BreakerTests {
    @Test("The defaults are resilience4j's")
    func defaults() throws {
        let breaker = try settings()
        // failureRateThreshold 50, slidingWindowType COUNT_BASED, slidingWindowSize 100
        #expect(breaker.failureRate == 0.5)
        #expect(breaker.window == .count(100))
        // minimumNumberOfCalls, waitDurationInOpenState, permittedNumberOfCallsInHalfOpenState
        #expect(breaker.minimumCalls == 100)
        #expect(breaker.waitOpen.milliseconds == 60_000)
        #expect(breaker.halfOpenCalls == 10)
    }

    /// A documented behaviour: calls at times, and the state after them.
    struct Row: Sendable, CustomTestStringConvertible {
        var rule: String
        var settings: String
        /// Seconds, outcomes (`.` worked, `x` failed), and the state after them.
        var steps: [(Double, String, CircuitBreaker.State)]
        var testDescription: String { rule }
    }

    static let rows: [Row] = [
        Row(
            rule: "closed: fewer calls than the minimum never open it",
            settings: #""window":{"count":10},"minimum_calls":10"#,
            steps: [(0, "xxxxxxxxx", .closed), (0, "x", .open)]
        ),
        Row(
            rule: "closed: opens when the rate equals the threshold",
            settings: #""window":{"count":10},"minimum_calls":10"#,
            steps: [(0, ".....xxxx", .closed), (0, "x", .open)]
        ),
        Row(
            rule: "closed: stays closed below the threshold",
            settings: #""window":{"count":10},"minimum_calls":10"#,
            steps: [(0, "......xxxx", .closed)]
        ),
        Row(
            rule: "count-based window: only the last calls count",
            settings: #""window":{"count":4},"minimum_calls":4"#,
            steps: [(0, "x...", .closed), (0, "x", .closed), (0, "x", .open)]
        ),
        Row(
            rule: "time-based window: calls older than the window do not count",
            settings: #""window":{"time":"10s"},"minimum_calls":4"#,
            steps: [(0, "xxx", .closed), (11, "x", .closed), (12, "xx", .closed), (13, "x", .open)]
        ),
        Row(
            rule: "time-based window: all calls of the window count, however many",
            settings: #""window":{"time":"10s"},"minimum_calls":4"#,
            steps: [
                (0, "....................", .closed), (5, "xxxxxxxxxxxxxxxxxxx", .closed),
                (6, "x", .open),
            ]
        ),
        Row(
            rule: "open: refuses until the wait is over, then half-open permits calls",
            settings:
                #""window":{"count":2},"minimum_calls":2,"wait_open":"60s","half_open_calls":3"#,
            steps: [(0, "xx", .open), (59.9, "..........", .open), (60, ".", .halfOpen)]
        ),
        Row(
            rule: "half-open: closes when the rate of the permitted calls is below the threshold",
            settings: #""window":{"count":100},"minimum_calls":100,"half_open_calls":10"#,
            steps: [
                (0, String(repeating: "x", count: 100), .open), (60, "xxxx.....", .halfOpen),
                (60, ".", .closed),
            ]
        ),
        Row(
            rule: "half-open: opens again when the rate equals the threshold",
            settings: #""window":{"count":100},"minimum_calls":100,"half_open_calls":10"#,
            steps: [
                (0, String(repeating: "x", count: 100), .open), (60, "xxxxx....", .halfOpen),
                (60, ".", .open),
            ]
        ),
        Row(
            rule: "half-open: the minimum is at most the permitted calls",
            settings: #""window":{"count":2},"minimum_calls":2,"half_open_calls":5"#,
            steps: [(0, "xx", .open), (60, ".", .halfOpen), (60, ".", .closed)]
        ),
        Row(
            rule: "closed again: calls from before it opened are forgotten",
            settings: #""window":{"count":4},"minimum_calls":4,"half_open_calls":1"#,
            steps: [(0, "xxxx", .open), (60, ".", .closed), (60, "xxx", .closed), (60, "x", .open)]
        ),
        Row(
            rule: "half-open: does not stick when its calls never end",
            settings:
                #""window":{"count":2},"minimum_calls":2,"half_open_calls":2,"wait_open":"60s""#,
            // One call, then silence: after the wait it is open, waits twice as long, and tries again.
            steps: [
                (0, "xx", .open), (60, ".", .halfOpen), (120, ".", .open), (239, ".", .open),
                (240, "..", .closed),
            ]
        ),
        Row(
            rule:
                "open: the wait doubles each time it opens out of half-open, and begins anew once closed",
            settings:
                #""window":{"count":1},"minimum_calls":1,"half_open_calls":1,"wait_open":"10s""#,
            steps: [
                (0, "x", .open), (10, "x", .open), (29, "x", .open), (30, "x", .open),
                (69, ".", .open), (70, ".", .closed), (71, "x", .open), (81, ".", .closed),
            ]
        ),
    ]

    @Test("Documented transitions", arguments: rows)
    func transitions(_ row: Row) throws {
        var breaker = CircuitBreaker(try settings(row.settings))
        for (seconds, outcomes, state) in row.steps {
            _ = breaker.calls(outcomes, at: at(seconds))
            #expect(breaker.state == state, "\(row.rule), second \(seconds)")
            // The stored text is the whole state.
            breaker = CircuitBreaker(breaker.settings, stored: breaker.stored)
        }
    }

    @Test(
        "forced_open refuses and disabled permits everything; neither counts or changes by itself"
    )
    func overrides() throws {
        var breaker = CircuitBreaker(try settings(#""window":{"count":2},"minimum_calls":2"#))
        #expect(breaker.set(.forcedOpen, at: at(0))?.to == .forcedOpen)
        #expect(breaker.set(.forcedOpen, at: at(0)) == nil)
        #expect(breaker.isOpen(at: at(1e6)))
        #expect(breaker.calls("....", at: at(1e6)).isEmpty)
        #expect(breaker.set(.disabled, at: at(0))?.from == .forcedOpen)
        #expect(breaker.calls("xxxx", at: at(1e6)).isEmpty)
        #expect(breaker.permit(at: at(0)).isPermitted)
        #expect(breaker.set(.halfOpen, at: at(0)) == nil)
        #expect(breaker.set(.closed, at: at(0))?.to == .closed)
        #expect(breaker.calls("xx", at: at(0)) == [.open])
        #expect(breaker.set(.closed, at: at(1))?.cause == "set")
        #expect(breaker.openings == 0)
        #expect(breaker.set(.open, at: at(2))?.to == .open)
        #expect(breaker.isOpen(at: at(3)))
        #expect(!breaker.isOpen(at: at(62)), "the wait is over")
    }

    @Test(
        "A wait is measured by the boot clock, and after a restart by the wall clock, but is never extended"
    )
    func deadlines() throws {
        var breaker = CircuitBreaker(try settings(#""window":{"count":1},"minimum_calls":1"#))
        #expect(breaker.calls("x", at: at(1000)) == [.open])
        let second: Int64 = 1_000_000
        #expect(breaker.remaining(at: at(1010)) == 50 * second)
        // The wall clock jumps; the machine continues.
        #expect(breaker.remaining(at: at(1010, wallShift: -86_400 * second)) == 50 * second)
        // The machine was restarted: its clock starts again.
        func restarted(wall: Int64) -> BreakerTime {
            BreakerTime(bootID: "b", boot: 5 * second, wall: at(1000).wall + wall)
        }
        #expect(breaker.remaining(at: restarted(wall: 20 * second)) == 40 * second)
        #expect(breaker.remaining(at: restarted(wall: 90 * second)) == 0)
        #expect(breaker.remaining(at: restarted(wall: -86_400 * second)) == 60 * second)
    }

    @Test("A half-open breaker whose process was killed recovers by itself")
    func killedInHalfOpen() throws {
        var breaker = CircuitBreaker(
            try settings(#""window":{"count":1},"minimum_calls":1,"half_open_calls":2"#)
        )
        _ = breaker.calls("x", at: at(0))
        // Two calls are permitted and never come back.
        #expect(breaker.permit(at: at(60)).isPermitted)
        #expect(breaker.permit(at: at(60)).isPermitted)
        #expect(!breaker.permit(at: at(61)).isPermitted)
        var reopened = CircuitBreaker(breaker.settings, stored: breaker.stored)
        let (isPermitted, changes) = reopened.permit(at: at(120))
        #expect(!isPermitted)
        #expect(changes.map(\.cause) == ["half_open_time_over"])
        #expect(reopened.calls(".", at: at(240)) == [.halfOpen, .closed])
    }

    @Test("A stored window that is damaged or of another kind is read as empty")
    func storedWindow() throws {
        let counting = try settings(#""window":{"count":3},"minimum_calls":1"#)
        let timing = try settings(#""window":{"time":"3s"},"minimum_calls":1"#)
        var breaker = CircuitBreaker(timing)
        _ = breaker.calls("..x", at: at(5))
        let stored = breaker.stored
        #expect(CircuitBreaker(timing, stored: stored).failures == 1)
        #expect(CircuitBreaker(counting, stored: stored).calls == 0)
        var damaged = stored
        damaged.window = "a;1,2"
        #expect(CircuitBreaker(timing, stored: damaged).calls == 0)
        damaged.window = "0101"
        #expect(CircuitBreaker(counting, stored: damaged).calls == 3)
        damaged.openings = -4
        #expect(CircuitBreaker(counting, stored: damaged).wait == 60_000_000)
    }
}
