import TallystickCore
import TallystickSQLite

extension StoreError {
    /// Any failure of the layers below, as the one error type of the library.
    init(_ error: any Error, during operation: String, on subject: String = "") {
        switch error {
        case let error as StoreError:
            self = error
        case let error as SQLiteError:
            self.init(error, during: operation, on: subject)
        case let error as JSONError:
            self.init(.badInput, during: operation, on: subject, error.description)
        default:
            self.init(.bug, during: operation, on: subject, "unexpected failure: \(error)")
        }
    }

    init(_ error: SQLiteError, during operation: String, on subject: String = "") {
        let (code, hint, retry): (Code, String, Bool) =
            if error.isBusy {
                (
                    .busy,
                    "Another process is writing; try again, or wait longer with --busy-timeout",
                    true
                )
            } else if error.isCorrupt {
                (.corrupt, "Run 'tally doctor', and restore a backup", false)
            } else if .tooBig ~= error.code, error.operation == "prepare" {
                (.schemaAltered, "Someone changed the schema; restore a backup", false)
            } else if error.isNotADatabase {
                (.notAStore, "Check the path", false)
            } else if .databaseMoved ~= error.code {
                (
                    .outcomeUnknown,
                    "Let no program open and close the store's files but through Tallystick or the same SQLite; "
                        + "open the store again and repeat the call: what was stored is recognised",
                    true
                )
            } else if error.isFull {
                (
                    .diskFull, "Free some space and run the command again: what is stored is kept",
                    true
                )
            } else if error.isReadOnly || .permission ~= error.code {
                (
                    .notPermitted, "Check who owns the file and its folder, and their permissions",
                    false
                )
            } else if error.isInputOutput {
                (
                    .inputOutput,
                    "Check the disk; then open the store again and run 'tally verify'", false
                )
            } else if error.cannotOpen {
                (
                    .notPermitted, "Check the path and its permissions; symbolic links are refused",
                    false
                )
            } else {
                (.bug, "", false)
            }
        self.init(
            code,
            during: operation,
            on: subject,
            "\(error.message) (SQLite: \(error.operation), code \(error.code.rawValue))",
            hint: hint,
            isRetryable: retry
        )
    }
}
