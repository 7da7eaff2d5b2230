import TallystickCore
import TallystickSQLite

/// Something about a store that a person should look at.
package struct HealthFinding: Sendable, Equatable {
    /// What was checked. The raw values are contract.
    package enum Check: String, Sendable {
        /// An origin disagrees more often than its threshold allows.
        case mismatchThreshold = "mismatch_threshold"
        /// A circuit breaker is not closed.
        case breaker
        /// A replay has set events aside.
        case parked
        /// A conflict has been open for too long.
        case oldestConflict = "oldest_conflict"
    }

    package var check: Check
    /// The origin and category, breaker, replay or conflict.
    package var subject: String
    /// What was found.
    package var value: String
    /// What is allowed.
    package var limit: String
}

extension EventStore {
    /// What is wrong with a store in operation: thresholds, breakers, parked events, and open conflicts.
    ///
    /// - parameters:
    ///   - statistics: the counts, with the rates of mismatches.
    ///   - maximumConflictAge: how long a conflict may be open.
    package func health(
        _ statistics: StoreStatistics,
        maximumConflictAge: Duration
    ) async throws(StoreError) -> [HealthFinding] {
        var findings = statistics.rates.filter(\.isExceeded).map { rate in
            HealthFinding(
                check: .mismatchThreshold,
                subject: "\(rate.origin) \(rate.category)",
                value: "\(rate.rate)",
                limit: "\(rate.threshold)"
            )
        }
        findings += try await breakers().filter { $0.state != .closed && $0.state != .disabled }.map
        {
            HealthFinding(
                check: .breaker,
                subject: "\($0.kind.rawValue) \($0.name)",
                value: $0.state.rawValue,
                limit: "closed"
            )
        }
        let (parked, oldest) = try await reading("check the store") { connection in
            let rows = HealthRows(in: connection)
            return (try rows.parked(), try rows.oldestConflict())
        }
        findings += parked.map { replay, parked in
            HealthFinding(check: .parked, subject: replay, value: "\(parked)", limit: "0")
        }
        let limit = maximumConflictAge.components.seconds
        if let oldest {
            let age = options.clock().subtractingReportingOverflow(oldest.openedAt).partialValue
            let seconds = age / 1_000_000
            guard seconds > limit else { return findings }
            findings.append(
                HealthFinding(
                    check: .oldestConflict,
                    subject: "conflict \(oldest.conflictID)",
                    value: "\(seconds) s",
                    limit: "\(limit) s"
                )
            )
        }
        return findings
    }
}
