import Foundation
import TallystickTestSupport

/// Runs commands and records their operations on the files below one folder.
struct DiskRecorder {
    let folder: String
    let file: String
    private let library: String

    /// - parameter scratch: the folder for the recording library.
    init(folder: String, file: String, scratch: String) throws {
        self.folder = folder
        self.file = file
        library = try InterposedLibrary.build("PowerLoss/disk-trace.c", in: scratch)
    }

    /// Runs programs in that folder, all at once. Their output goes elsewhere.
    ///
    /// - parameter failing: further variables of the recorder.
    /// - returns: the first exit code other than 0, and their output.
    func run(
        _ commands: [[String]],
        of program: String = "tally",
        failing: [String] = []
    ) -> (code: Int32, printed: String) {
        let output = file + ".out"
        try? FileManager.default.removeItem(atPath: output)
        let command = command(program, failing)
        let children = commands.map { command.start($0, output: output, errors: output) }
        let codes = children.map { command.wait(for: $0) }
        return (codes.first { $0 != 0 } ?? 0, TallyCommand.text(output))
    }

    private func command(_ program: String, _ failing: [String]) -> TallyCommand {
        let variables = [
            "LD_PRELOAD=\(library)", "DISK_TRACE_FOLDER=\(folder)", "DISK_TRACE_FILE=\(file)",
        ]
        return TallyCommand(
            in: folder,
            program: program,
            under: ["env"] + variables + failing
        )
    }

    /// Bytes of the records so far.
    var bytes: Int {
        (try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int) ?? 0
    }
}
