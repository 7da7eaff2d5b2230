import Glibc
import TallystickSQLite
import TallystickTestSupport
import Testing

@testable import Tallystick

@Suite("Failures of SQLite as errors of the library")
struct FailureCodeTests {
    private static func code(
        _ code: Int32,
        operation: String = "step",
        number: Int32 = 0
    ) -> StoreError.Code {
        let error = SQLiteError(
            code: ResultCode(rawValue: code),
            message: "m",
            operation: operation,
            systemNumber: number
        )
        return StoreError(error, during: "test").code
    }

    private static let expected: [(FailureKind, StoreError.Code)] = [
        (.busy, .busy), (.outOfMemory, .outOfMemory), (.inputOutput, .inputOutput),
        (.diskFull, .diskFull), (.cannotOpen, .notPermitted), (.notPermitted, .notPermitted),
        (.moved, .outcomeUnknown), (.corrupt, .corrupt), (.notADatabase, .notAStore),
        (.interrupted, .interrupted), (.tooBig, .corrupt), (.constraint, .integrity),
        (.denied, .bug), (.statement, .bug), (.misuse, .bug), (.none, .bug),
    ]

    @Test("Every result code is the error that its kind says; only wrong calls are bugs")
    func everyCode() {
        let codes = Dictionary(uniqueKeysWithValues: Self.expected)
        #expect(codes.count == FailureKind.allCases.count)
        for primary in Int32(0)...101 {
            for extended in Int32(0)...40 {
                let number = primary | extended << 8
                let kind = ResultCode(rawValue: number).kind
                #expect(Self.code(number) == codes[kind], "code \(number)")
            }
        }
    }

    @Test(
        "A file that cannot be opened is not permitted, or a sign of what the process has used up"
    )
    func cannotOpen() {
        let cannotOpen: Int32 = 14
        for (number, code): (Int32, StoreError.Code) in [
            (0, .notPermitted), (EACCES, .notPermitted), (EROFS, .notPermitted),
            (ENOENT, .notPermitted), (ELOOP, .notPermitted), (EMFILE, .inputOutput),
            (ENFILE, .inputOutput), (EIO, .inputOutput), (ENOMEM, .outOfMemory),
            (ENOSPC, .diskFull), (EDQUOT, .diskFull),
        ] {
            #expect(Self.code(cannotOpen, number: number) == code, "errno \(number)")
        }
    }

    @Test("A call that fails because the disk is full says so, whichever call of SQLite it is")
    func fullDisk() {
        // SQLITE_IOERR_SHMSIZE, _TRUNCATE, _WRITE, _FSYNC, _SHMOPEN.
        for extended: Int32 in [19, 6, 3, 4, 18] {
            for (number, code): (Int32, StoreError.Code) in [
                (ENOSPC, .diskFull), (EDQUOT, .diskFull), (EIO, .inputOutput), (0, .inputOutput),
            ] {
                let failure = 10 | extended << 8
                #expect(Self.code(failure, number: number) == code, "\(failure), errno \(number)")
            }
        }
    }

    @Test("A schema with more objects than there may be was changed; it is not a damaged file")
    func tooManyObjects() {
        #expect(Self.code(18, operation: "prepare") == .schemaAltered)
    }

    @Test(
        "A statement of ours that the schema contradicts tells of a changed schema; any other is a bug"
    )
    func changedSchema() throws {
        let connection = try Connection(path: ":memory:", mode: .create)
        try connection.execute("CREATE TABLE t (a); CREATE VIEW v AS SELECT x FROM t")
        func code(_ sql: String) -> StoreError.Code? {
            do {
                try connection.execute(sql)
                return nil
            } catch {
                return StoreError(error, during: "test").code
            }
        }
        for sql in [
            "SELECT * FROM missing", "SELECT missing FROM t", "INSERT INTO t (b) VALUES (1)",
            "INSERT INTO t VALUES (1, 2)", "SELECT * FROM t INDEXED BY missing", "SELECT * FROM v",
            "DROP VIEW missing",
        ] { #expect(code(sql) == .schemaAltered, "\(sql)") }
        for sql in ["SELEC", "SELECT missing(1)", "SELECT json('{')", "ROLLBACK"] {
            #expect(code(sql) == .bug, "\(sql)")
        }
    }
}
