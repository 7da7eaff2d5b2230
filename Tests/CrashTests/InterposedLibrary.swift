import Foundation
import TallystickTestSupport

/// A library that commands load before the C library (`LD_PRELOAD`), built from a source file of these tests.
enum InterposedLibrary {
    /// There is no compiler, or the source has an error.
    struct NotBuilt: Error, CustomStringConvertible {
        var source: String
        var description: String { "\(source) was not built: a C compiler is needed" }
    }

    /// - parameter source: a path below the folder of this file.
    /// - returns: the library's path.
    static func build(_ source: String, in folder: String) throws(NotBuilt) -> String {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: source)
        let library =
            folder + "/"
            + file.deletingPathExtension().appendingPathExtension("so").lastPathComponent
        let flags = ["-O1", "-shared", "-fPIC", "-o", library, file.path, "-ldl"]
        for compiler in ["clang", "cc", "gcc"] {
            let command = TallyCommand(in: "/", path: compiler)
            if command.wait(for: command.start(flags)) == 0 { return library }
        }
        throw NotBuilt(source: source)
    }
}
