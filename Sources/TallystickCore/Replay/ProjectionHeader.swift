/// The part of a projection file's header that has been read.
struct ProjectionHeader {
    private(set) var name: String?
    private(set) var version: Int64?
    private(set) var onCorrection: ProjectionFile.OnCorrection?
    let bytes: UnsafeRawBufferPointer

    init(of bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The name, once its line has been read.
    func requiredName(at offset: Int) throws(ProjectionFileError) -> String {
        guard let name else {
            throw error(
                .header,
                at: offset,
                "the file must begin with '-- tally:projection NAME'"
            )
        }
        return name
    }

    /// The version, once its line has been read.
    func requiredVersion(at offset: Int) throws(ProjectionFileError) -> Int64 {
        guard let version else {
            throw error(
                .header,
                at: offset,
                "'-- tally:version N' is missing after '-- tally:projection'"
            )
        }
        return version
    }

    mutating func readName(
        _ arguments: Substring,
        _ start: Int
    ) throws(ProjectionFileError) {
        guard name == nil else {
            throw error(.header, at: start, "the file has a '-- tally:projection' line already")
        }
        let name = String(arguments)
        guard Self.isName(name) else {
            throw error(
                .name,
                at: start,
                "a projection's name is 1 to \(ProjectionFile.maximumNameByteCount) of a-z, 0-9 and _, "
                    + "and does not begin with a digit"
            )
        }
        for reserved in ["tally", "sqlite"]
        where name == reserved || name.hasPrefix(reserved + "_") {
            throw error(.name, at: start, "names that begin with '\(reserved)' are reserved")
        }
        self.name = name
    }

    mutating func readVersion(
        _ arguments: Substring,
        _ start: Int
    ) throws(ProjectionFileError) {
        try checkHeader(isRepeated: version != nil, start)
        guard !arguments.isEmpty, arguments.utf8.allSatisfy({ $0 &- 0x30 <= 9 }),
            let number = Int32(arguments), number > 0
        else {
            throw error(.version, at: start, "a version is a whole number from 1 to \(Int32.max)")
        }
        version = Int64(number)
    }

    mutating func readOnCorrection(
        _ arguments: Substring,
        _ start: Int
    ) throws(ProjectionFileError) {
        try checkHeader(isRepeated: onCorrection != nil, start)
        guard let mode = ProjectionFile.OnCorrection(rawValue: String(arguments)) else {
            throw error(.marker, at: start, "'on-correction' is followed by rebuild or apply")
        }
        onCorrection = mode
    }

    private func checkHeader(isRepeated: Bool, _ start: Int) throws(ProjectionFileError) {
        _ = try requiredName(at: start)
        if isRepeated { throw error(.header, at: start, "the file has such a line already") }
    }

    static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= ProjectionFile.maximumNameByteCount,
            first == 0x5F || (0x61...0x7A).contains(first)
        else { return false }
        return name.utf8.allSatisfy { $0 == 0x5F || (0x61...0x7A).contains($0) || $0 &- 0x30 <= 9 }
    }

    private func error(
        _ code: ProjectionFileError.Code,
        at offset: Int,
        _ message: String
    ) -> ProjectionFileError {
        ProjectionFileError(code, at: offset, in: bytes, message)
    }
}
