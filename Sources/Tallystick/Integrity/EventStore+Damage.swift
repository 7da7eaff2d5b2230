import Logging
import TallystickCore

/// Records damage that is found along the way, if the handle can write.
extension EventStore {
    /// Records events and copies that a verification found damaged.
    func recordDamage(of report: VerifyReport) async {
        let damaged = report.damagedRecords
        guard !damaged.isEmpty else { return }
        await record { owner throws(StoreError) in try await owner.record(damaged, as: .atRest) }
    }

    /// Runs a replay; an event that it refuses is recorded.
    func recordingRefusals<Result: Sendable>(
        _ body: () async throws(StoreError) -> Result
    ) async throws(StoreError) -> Result {
        do throws(StoreError) {
            return try await body()
        } catch {
            if error.code == .integrity, let position = error.position?.rawValue {
                await record { owner throws(StoreError) in
                    try await owner.recordDamage(at: position, as: .replay)
                }
            }
            throw error
        }
    }

    /// A failure to record is only logged: the finding matters more, and a damaged store may not accept rows any more.
    private func record(_ body: (StoreOwner) async throws(StoreError) -> Void) async {
        guard options.access == .readWrite else { return }
        do throws(StoreError) {
            try await body(owner)
        } catch {
            options.logger.error(
                "damage could not be recorded",
                metadata: ["error": "\(error.description)"]
            )
        }
    }
}

extension VerifyReport {
    /// Events and copies among the findings.
    var damagedRecords: [DamagedRecord] {
        findings.compactMap { finding in
            let words = finding.record.split(separator: " ")
            guard words.count == 2, let key = Int64(words[1]),
                words[0] == "events" || words[0] == "copies"
            else { return nil }
            return DamagedRecord(
                position: finding.position?.rawValue ?? (words[0] == "events" ? key : nil),
                copyID: words[0] == "copies" ? key : nil,
                algorithm: Self.algorithm(of: finding),
                expected: finding.expected,
                actual: finding.actual
            )
        }
    }

    /// What failed: the algorithm of a checksum, or the leaf.
    private static func algorithm(of finding: VerifyFinding) -> String {
        switch finding.finding {
        case .content:
            // Given its hexadecimal digits.
            (finding.expected.utf8.count == 8 ? ChecksumAlgorithm.crc32 : .sha256).rawValue
        case .key: ChecksumAlgorithm.hmacSHA256.rawValue
        default: MismatchRecorder.leaf
        }
    }
}
