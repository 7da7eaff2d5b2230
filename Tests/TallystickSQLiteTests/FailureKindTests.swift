import CTallystickSQLite
import TallystickSQLite
import Testing

@Suite("Result codes")
struct FailureKindTests {
    /// Every primary code of sqlite3.h, with its kind.
    private static let primary: [(Int32, FailureKind)] = [
        (SQLITE_OK, .none), (SQLITE_ERROR, .statement), (SQLITE_INTERNAL, .misuse),
        (SQLITE_PERM, .notPermitted), (SQLITE_ABORT, .misuse), (SQLITE_BUSY, .busy),
        (SQLITE_LOCKED, .busy), (SQLITE_NOMEM, .outOfMemory), (SQLITE_READONLY, .notPermitted),
        (SQLITE_INTERRUPT, .interrupted), (SQLITE_IOERR, .inputOutput),
        (SQLITE_CORRUPT, .corrupt), (SQLITE_NOTFOUND, .misuse), (SQLITE_FULL, .diskFull),
        (SQLITE_CANTOPEN, .cannotOpen), (SQLITE_PROTOCOL, .busy), (SQLITE_EMPTY, .misuse),
        (SQLITE_SCHEMA, .busy), (SQLITE_TOOBIG, .tooBig), (SQLITE_CONSTRAINT, .constraint),
        (SQLITE_MISMATCH, .constraint), (SQLITE_MISUSE, .misuse), (SQLITE_NOLFS, .inputOutput),
        (SQLITE_AUTH, .denied), (SQLITE_FORMAT, .corrupt), (SQLITE_RANGE, .misuse),
        (SQLITE_NOTADB, .notADatabase), (SQLITE_NOTICE, .none), (SQLITE_WARNING, .none),
        (SQLITE_ROW, .none), (SQLITE_DONE, .none),
    ]

    /// The extended codes whose meaning differs, by the numbers that they add to their primary code.
    private static let others: [Int32: FailureKind] = [
        SQLITE_IOERR | 12 << 8: .outOfMemory, SQLITE_IOERR | 11 << 8: .busy,
        SQLITE_READONLY | 4 << 8: .moved, SQLITE_ABORT | 2 << 8: .inputOutput,
        SQLITE_CANTOPEN | 1 << 8: .inputOutput, SQLITE_CANTOPEN | 3 << 8: .inputOutput,
        SQLITE_CANTOPEN | 4 << 8: .inputOutput,
    ]

    @Test("Every primary result code of sqlite3.h is classified", arguments: primary)
    func primaryCodes(_ code: Int32, _ kind: FailureKind) {
        #expect(ResultCode(rawValue: code).kind == kind)
    }

    @Test("There are no primary codes except the classified ones, by SQLite's names")
    func complete() {
        let known = Set(Self.primary.map(\.0))
        let unknown = ResultCode(rawValue: 99).text
        for code in Int32(0)...255 where ResultCode(rawValue: code).text != unknown {
            #expect(
                known.contains(code),
                "SQLite knows code \(code): \(ResultCode(rawValue: code).text)"
            )
        }
    }

    @Test(
        "An extended result code means the same as its primary one, unless it is listed as different"
    )
    func extendedCodes() {
        for (primary, kind) in Self.primary where primary < SQLITE_NOTICE {
            for extension_ in Int32(1)...64 {
                let code = primary | extension_ << 8
                #expect(
                    ResultCode(rawValue: code).kind == Self.others[code] ?? kind,
                    "code \(code)"
                )
            }
        }
    }

    @Test("A code of a later SQLite is a bug until it has been classified")
    func unknown() { #expect(ResultCode(rawValue: 77).kind == .misuse) }
}
