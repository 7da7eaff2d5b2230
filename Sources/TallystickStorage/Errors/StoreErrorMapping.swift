import Glibc
import TallystickCore
package import TallystickSQLite

extension StoreError {
    /// Converts any failure of the layers below to the one error type of the library.
    package init(_ error: any Error, during operation: String, on subject: String = "") {
        switch error {
        case let error as StoreError:
            self = error
        case let error as SQLiteError:
            self.init(error, during: operation, on: subject)
        case let error as JSONError:
            self.init(.badInput, during: operation, on: subject, error.description)
        case let error as KeyRingError:
            self.init(.invalidArgument, during: operation, on: subject, error.message)
        case let error as NoteError:
            self.init(.badInput, during: operation, on: subject, error.description)
        default:
            self.init(.bug, during: operation, on: subject, "unexpected failure: \(error)")
        }
    }

    package init(_ error: SQLiteError, during operation: String, on subject: String = "") {
        let meaning = Meaning.of(error)
        let reason = meaning.reason.map { ": \($0)" } ?? ""
        self.init(
            meaning.code,
            during: operation,
            on: subject,
            "\(error.message)\(reason) (SQLite: \(error.operation), code \(error.code.rawValue))",
            hint: meaning.hint,
            isRetryable: meaning.isRetryable
        )
    }

    /// What an SQLite failure means to callers: the one table for every kind of failure.
    ///
    /// The statements are our own, on a checked schema: callers that run foreign statements handle `statement`,
    /// `constraint`, `denied` and `tooBig` themselves.
    private struct Meaning {
        var code: Code
        var hint = ""
        var isRetryable = false
        /// The operating system's message, if SQLite's message omits it.
        var reason: String?

        static let inputOutput = Meaning(
            code: .inputOutput,
            hint: "Check the disk; then open the store again and run 'tally verify'"
        )
        static let outOfMemory = Meaning(
            code: .outOfMemory,
            hint: "Let the process have more memory, and run the command again",
            isRetryable: true
        )
        static let diskFull = Meaning(
            code: .diskFull,
            hint: "Free some space and run the command again: stored data is kept",
            isRetryable: true
        )

        static func of(_ error: SQLiteError) -> Meaning {
            switch error.kind {
            case .busy:
                Meaning(
                    code: .busy,
                    hint:
                        "Another process is writing; try again (commands that write wait longer with --busy-timeout)",
                    isRetryable: true
                )
            case .outOfMemory: outOfMemory
            case .inputOutput: inputOutput(error.systemNumber).because(error.systemNumber)
            case .diskFull: diskFull
            case .cannotOpen: cannotOpen(error.systemNumber).because(error.systemNumber)
            case .notPermitted:
                Meaning(
                    code: .notPermitted,
                    hint: "Check who owns the file and its folder, and their permissions"
                )
            case .moved:
                Meaning(
                    code: .outcomeUnknown,
                    hint:
                        "Let no program open and close the store's files but through Tallystick or the "
                        + "same SQLite; open the store again and repeat the call: stored events are recognised",
                    isRetryable: true
                )
            case .corrupt:
                Meaning(
                    code: .corrupt,
                    hint: "Run 'tally verify' to see which tables are damaged, and restore a backup"
                )
            case .notADatabase: Meaning(code: .notAStore, hint: "Check the path")
            case .tooBig where error.operation == "prepare":
                Meaning(
                    code: .schemaAltered,
                    hint: "Someone changed the schema; restore a backup"
                )
            case .tooBig:
                // Nothing that Tallystick writes comes near SQLite's limits.
                Meaning(
                    code: .corrupt,
                    hint: "Run 'tally verify' to see what was changed, and restore a backup"
                )
            case .constraint:
                // Our rows satisfy the constraints, unless existing rows were not written by Tallystick.
                Meaning(
                    code: .integrity,
                    hint:
                        "The store has rows that contradict the new ones: run 'tally verify' to see "
                        + "what was changed. Where it finds nothing, this is a bug in Tallystick"
                )
            case .interrupted:
                Meaning(
                    code: .interrupted,
                    hint: "Run the command again to go on",
                    isRetryable: true
                )
            case .statement where error.contradictsSchema:
                Meaning(
                    code: .schemaAltered,
                    hint:
                        "Another program changed the store's tables while they were in use: undo the change, "
                        + "or restore a backup"
                )
            case .denied, .statement, .misuse, .none: Meaning(code: .bug)
            }
        }

        /// If a file cannot be opened, its permissions forbid it, the process has reached one of its limits, or
        /// the disk failed.
        private static func cannotOpen(_ number: Int32) -> Meaning {
            switch number {
            case EMFILE, ENFILE:
                Meaning(
                    code: .inputOutput,
                    hint:
                        "Let the process have more open files ('ulimit -n'), and run the command again",
                    isRetryable: true
                )
            case ENOMEM: outOfMemory
            case ENOSPC, EDQUOT: diskFull
            case EROFS:
                Meaning(
                    code: .notPermitted,
                    hint: "Mount its file system for writing, or copy the files to another one"
                )
            case 0, EACCES, EPERM, ENOENT, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG, EEXIST:
                Meaning(
                    code: .notPermitted,
                    hint: "Check the path and its permissions; symbolic links are refused"
                )
            default: inputOutput
            }
        }

        /// SQLite has a dedicated code for a full disk only for writing pages. If it cannot enlarge something
        /// else, such as the index of the log, that is a failed system call to it.
        ///
        /// This does not imply that a commit was rolled back (`SQLiteError.isFull`).
        private static func inputOutput(_ number: Int32) -> Meaning {
            [ENOSPC, EDQUOT].contains(number) ? diskFull : inputOutput
        }

        private func because(_ number: Int32) -> Meaning {
            var meaning = self
            meaning.reason = number == 0 ? nil : String(cString: strerror(number))
            return meaning
        }
    }
}

extension StoreError {
    /// Whether a failure was caused by damaged pages.
    package static func isCorruption(_ error: any Error) -> Bool {
        switch error {
        case let error as SQLiteError: error.isCorrupt
        case let error as StoreError: error.code == .corrupt
        default: false
        }
    }
}
