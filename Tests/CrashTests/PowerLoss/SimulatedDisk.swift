/// A disk under a file system that promises no more than POSIX: syncing a file makes its content durable, syncing a
/// folder makes the names in it durable, and everything else may survive a power cut completely, partly, or not at
/// all.
struct SimulatedDisk {
    /// A rule of the model that is removed: the campaign must detect that.
    enum Canary: String, CaseIterable, Codable, Sendable {
        /// Syncs of write-ahead logs do nothing.
        case logSync
        /// Syncs of databases do nothing.
        case databaseSync
        /// Syncs of folders do nothing.
        case folderSync
        /// Syncs of files other than databases and their logs do nothing.
        case outputSync
        /// Pages that a failed sync lost stay lost when they are written again.
        case rewrite
    }

    enum NameChange {
        case set(String, file: Int)
        case remove(String)
        case move(from: String, to: String, file: Int)

        var paths: [String] {
            switch self {
            case .set(let path, _), .remove(let path): [path]
            case .move(let from, let to, _): [from, to]
            }
        }
    }

    struct PendingName {
        var order: Int
        var change: NameChange
    }

    private(set) var files: [SimulatedFile] = []
    /// The names that processes see.
    private(set) var names: [String: Int] = [:]
    /// The names in every state after a power cut.
    private(set) var durableNames: [String: Int] = [:]
    private(set) var pendingNames: [PendingName] = []
    /// How many operations were done.
    private(set) var order = 0
    private var numbers: [UInt64: Int] = [:]
    /// The first name of each file, by which canaries refer to it.
    private var firstNames: [String] = []
    let canary: Canary?

    /// - parameter base: files that are already on the disk.
    init(base: [String: [UInt8]], canary: Canary? = nil) {
        self.canary = canary
        for (path, content) in base {
            names[path] = files.count
            files.append(
                SimulatedFile(durable: content, forgetsRewrites: canary == .rewrite)
            )
            firstNames.append(path)
        }
        durableNames = names
    }

    /// The files as processes see them.
    var cached: [String: [UInt8]] { names.mapValues { files[$0].cached } }

    func cached(_ path: String) -> [UInt8]? { names[path].map { files[$0].cached } }

    /// - throws: `DiskTrace.Failure` for a file that was never opened.
    mutating func perform(_ operation: DiskTrace.Operation) throws {
        order += 1
        let order = order
        switch operation {
        case .opened(let path, let inode, let isCreated, let isTruncated):
            open(path, inode, isCreated)
            if isTruncated { try change(inode) { $0.resize(to: 0, order: order) } }
        case .written(let inode, let offset, let bytes):
            try change(inode) { $0.write(bytes, at: offset, order: order) }
        case .truncated(let inode, let size):
            try change(inode) { $0.resize(to: size, order: order) }
        case .synced(let inode):
            if ignoresSync(firstNames[try number(inode)]) { return }
            try change(inode) { $0.sync() }
        case .syncFailed(let inode): try change(inode) { $0.failSync() }
        case .folderSynced(let folder): syncFolder(folder)
        case .renamed(let from, let to):
            guard let file = names[from] else { throw DiskTrace.Failure(message: "no '\(from)'") }
            rename(.move(from: from, to: to, file: file))
        case .linked(let inode, let to): rename(.set(to, file: try number(inode)))
        case .unlinked(let path): rename(.remove(path))
        case .foldersChanged, .printed: return
        }
    }

    private mutating func open(_ path: String?, _ inode: UInt64, _ isCreated: Bool) {
        // An inode's number is used again once its file is gone.
        if !isCreated, let path, let file = names[path] {
            numbers[inode] = file
            return
        }
        guard isCreated else { return }
        numbers[inode] = files.count
        files.append(SimulatedFile(forgetsRewrites: canary == .rewrite))
        firstNames.append(path ?? "")
        if let path { rename(.set(path, file: files.count - 1)) }
    }

    private func number(_ inode: UInt64) throws -> Int {
        guard let number = numbers[inode] else {
            throw DiskTrace.Failure(message: "inode \(inode) was never opened")
        }
        return number
    }

    private mutating func change(_ inode: UInt64, _ body: (inout SimulatedFile) -> Void) throws {
        body(&files[try number(inode)])
    }

    private mutating func rename(_ change: NameChange) {
        Self.apply(change, to: &names)
        pendingNames.append(PendingName(order: order, change: change))
    }

    private mutating func syncFolder(_ folder: String) {
        if canary == .folderSync { return }
        func isInside(_ pending: PendingName) -> Bool {
            pending.change.paths.contains { Self.folder(of: $0) == folder }
        }
        for pending in pendingNames where isInside(pending) {
            Self.apply(pending.change, to: &durableNames)
        }
        pendingNames.removeAll(where: isInside)
    }

    private func ignoresSync(_ path: String) -> Bool {
        let isLog = path.hasSuffix("-wal")
        let isDatabase = path.hasSuffix(".db")
        switch canary {
        case .logSync: return isLog
        case .databaseSync: return isDatabase
        case .outputSync: return !isLog && !isDatabase && !path.hasSuffix("-journal")
        case .folderSync, .rewrite, nil: return false
        }
    }

    private static func folder(of path: String) -> String {
        path.split(separator: "/").dropLast().joined(separator: "/")
    }

    static func apply(_ change: NameChange, to names: inout [String: Int]) {
        switch change {
        case .set(let path, let file): names[path] = file
        case .remove(let path): names[path] = nil
        case .move(let from, let to, let file):
            if names[from] == file { names[from] = nil }
            names[to] = file
        }
    }
}
