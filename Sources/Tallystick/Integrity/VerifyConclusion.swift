import TallystickCore
import TallystickSQLite

/// Runs the checks that require everything to be read, on its own connection.
final class VerifyConclusion {
    private let derived: DerivedVerifier

    init(_ path: String, _ options: StoreOptions) throws {
        let connection = try StoreFile.openForReading(path, options)
        let states = DerivedStates(in: connection, try EventRowReader(in: connection))
        derived = try DerivedVerifier(in: connection, states)
    }

    /// Reports the rows in which events and an index table differ, within the limits of time and listed findings.
    func nameDifferences(
        _ table: IndexTable,
        after first: Int64,
        through last: Int64,
        until isOver: () -> Bool,
        _ report: inout VerifyReport
    ) throws {
        let before = report.findingCount
        func isEnough() -> Bool { isOver() || report.findingCount - before >= StrayRows.listed }
        var next = first
        while next < last, !isEnough() {
            let end = min(last, next + VerifyLimits.chunk)
            try derived.findUnindexed(table, after: next, through: end, &report)
            next = end
        }
        var key: [SQLValue]? = []
        while let start = key, !isEnough() {
            key = try derived.findStray(table, after: start, &report)
        }
        guard report.findingCount == before else { return }
        report.add(
            .init(
                record: table.rawValue,
                finding: .index,
                expected: "one row for each event",
                actual: "other rows; the time limit was reached before they were named"
            )
        )
    }

    /// Finds unused names.
    func checkNames(
        _ dictionary: NameDictionary,
        through last: Int64,
        used: IDSet?,
        until isOver: () -> Bool,
        _ report: inout VerifyReport
    ) throws {
        var next: Int64? = .min
        while let start = next, !isOver() {
            next = try derived.checkNames(
                of: dictionary,
                from: start,
                through: last,
                used: used,
                &report
            )
        }
        if next != nil {
            report.notChecked.append(
                .init(what: dictionary.table, records: last, reason: "the time limit was reached")
            )
        }
    }
}
