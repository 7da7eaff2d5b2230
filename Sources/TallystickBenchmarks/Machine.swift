import CTallystickBaseline
import Glibc
import TallystickCore
import TallystickTestSupport

/// A description of the machine, so that figures can be compared.
enum Machine {
    static func description(in folder: TemporaryFolder) -> String {
        """
        \(model), \(sysconf(Int32(_SC_NPROCESSORS_ONLN))) cores, \(memory) MiB of memory; SQLite \
        \(String(cString: tally_baseline_sqlite_version())); SHA-256 of 16 KiB at \
        \(TableRow.rounded(hashRate, 2)) GB/s a core (in C \(TableRow.rounded(hashRateInC, 2)) GB/s\
        \(tally_baseline_has_sha() != 0 ? ", SHA extensions" : "")); \
        fsync of a page \(TableRow.rounded(syncMilliseconds(in: folder), 2)) ms on \(fileSystem(of: folder)).
        """
    }

    private static var model: String {
        for line in lines(of: "/proc/cpuinfo") where line.hasPrefix("model name") {
            return line.split(separator: ":").last.map { $0.drop { $0 == " " } }.map(String.init)
                ?? ""
        }
        return "processor of unknown model"
    }

    private static var memory: Int {
        sysconf(Int32(_SC_PHYS_PAGES)) / 1024 * sysconf(Int32(_SC_PAGESIZE)) / 1024
    }

    /// The kind of file system on which stores are created: in memory, durability costs nothing.
    private static func fileSystem(of folder: TemporaryFolder) -> String {
        // linux/magic.h
        switch UInt32(truncatingIfNeeded: tally_baseline_file_system(folder.path)) {
        case 0xEF53: return "ext4"
        case 0x5846_5342: return "xfs"
        case 0x9123_683E: return "btrfs"
        case 0x2FC1_2FC1: return "zfs"
        case 0x794C_7630: return "overlayfs"
        case 0x0102_1994, 0x8584_58F6:
            return "a file system in memory (give a folder on a disk with --folder)"
        case let other: return "a file system of type 0x\(String(other, radix: 16))"
        }
    }

    private static let sample = [UInt8](repeating: 0x54, count: 16_384)
    private static let rounds = 5_000

    private static var hashRate: Double {
        gigabytesPerSecond { bytes in
            _ = SHA256Digest(hashing: bytes)
        }
    }

    private static var hashRateInC: Double {
        var digest = [UInt8](repeating: 0, count: 32)
        return gigabytesPerSecond { bytes in
            tally_baseline_sha256(
                bytes.baseAddress?.assumingMemoryBound(to: UInt8.self),
                Int64(bytes.count),
                &digest
            )
        }
    }

    private static func gigabytesPerSecond(_ hash: (UnsafeRawBufferPointer) -> Void) -> Double {
        let started = ContinuousClock.now
        sample.withUnsafeBytes { bytes in
            for _ in 0..<rounds { hash(bytes) }
        }
        let time = (ContinuousClock.now - started) / .seconds(1)
        return Double(rounds * sample.count) / time / 1e9
    }

    /// The median time of an fsync after a page was written.
    private static func syncMilliseconds(in folder: TemporaryFolder) -> Double {
        let path = folder.file("fsync")
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer {
            close(file)
            unlink(path)
        }
        let page = [UInt8](repeating: 1, count: 4096)
        let times = (0..<101).map { index -> Double in
            let started = ContinuousClock.now
            pwrite(file, page, page.count, index * page.count)
            fsync(file)
            return (ContinuousClock.now - started) / .milliseconds(1)
        }
        return TableRow.median(times)
    }

    /// Lines of a small text file; none if it cannot be read.
    static func lines(of path: String) -> [String] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var lines: [String] = []
        var buffer = [CChar](repeating: 0, count: 4096)
        while fgets(&buffer, Int32(buffer.count), file) != nil {
            let bytes = buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }
            lines.append(String(decoding: bytes, as: UTF8.self))
        }
        return lines
    }
}
