import TallystickCore

/// Hashes the leaves of a batch's rows, on another thread than the one that inserts these rows.
///
/// Unchecked Sendable: `results` is written by `run` alone, and read only after the job's end was waited
/// for; everything else is constant.
final class LeafJob: @unchecked Sendable {
    /// Appends one leaf: its place among the job's leaves, the batch's bytes, and where to.
    typealias Writer = (Int, UnsafeRawBufferPointer, inout ByteBuffer) -> Void

    /// Fewer leaves than these are hashed sooner than another thread wakes up.
    static let worthAnotherThread = 64

    let count: Int
    private let batch: EventBatch
    private let write: Writer
    private(set) var results: [SHA256Digest] = []

    private init(_ count: Int, _ batch: EventBatch, _ write: @escaping Writer) {
        self.count = count
        self.batch = batch
        self.write = write
    }

    /// The leaves of new events.
    static func events(
        _ new: [Int32],
        of batch: EventBatch,
        firstPosition: Int64,
        revisions: [Int64],
        recordedAt: Int64,
        origin: String,
        categories: [String]
    ) -> LeafJob {
        let origin = json(origin)
        let categories = categories.map(json)
        return LeafJob(new.count, batch) { order, arena, leaf in
            let event = batch.events[Int(new[order])]
            origin.withUnsafeBytes { origin in
                categories[Int(event.category)].withUnsafeBytes { category in
                    Leaf.writeEvent(
                        position: firstPosition + Int64(order),
                        revision: revisions[order],
                        recordedAt: recordedAt,
                        category: category,
                        origin: origin,
                        stream: arena.slice(event.streamName),
                        content: event.contentDigest,
                        delivery: arena.sliceIfPresent(event.deliveryAttributes),
                        to: &leaf
                    )
                }
            }
        }
    }

    /// The leaves of copies whose content is that of the event as appended.
    static func confirmations(
        _ confirmed: [Int32],
        of batch: EventBatch,
        positions: [Int64],
        firstCopy: Int64,
        recordedAt: Int64,
        origin: String
    ) -> LeafJob {
        let origin = json(origin)
        return LeafJob(confirmed.count, batch) { order, arena, leaf in
            let index = Int(confirmed[order])
            let event = batch.events[index]
            origin.withUnsafeBytes { origin in
                Leaf.writeCopy(
                    copyID: firstCopy + Int64(order),
                    position: positions[index],
                    recordedAt: recordedAt,
                    origin: origin,
                    agreement: Agreement.confirmed.rawValue,
                    content: event.contentDigest,
                    differsIn: nil,
                    delivery: arena.sliceIfPresent(event.deliveryAttributes),
                    to: &leaf
                )
            }
        }
    }

    func run() {
        var leaf = ByteBuffer()
        var hashes: [SHA256Digest] = []
        hashes.reserveCapacity(count)
        batch.arena.withUnsafeBytes { arena in
            for order in 0..<count {
                leaf.removeAll()
                // The prefix of a leaf's hash comes first, so that the leaf need not be copied.
                leaf.append(MerkleHash.leafPrefix)
                write(order, arena, &leaf)
                hashes.append(SHA256Digest(hashing: leaf.bytes))
            }
        }
        results = hashes
    }

    private static func json(_ name: String) -> [UInt8] {
        var json: [UInt8] = []
        CanonicalJSON.writeString(name, to: &json)
        return json
    }
}

extension HelperThread {
    /// Hashes leaves while `body` inserts their rows.
    func hash(_ leaves: LeafJob, while body: () throws -> Void) rethrows -> [SHA256Digest] {
        guard leaves.count >= LeafJob.worthAnotherThread else {
            try body()
            leaves.run()
            return leaves.results
        }
        let hashing = start { leaves.run() }
        // The job reads the batch: it must be over before anybody gives the batch up.
        defer { hashing.wait() }
        try body()
        hashing.wait()
        return leaves.results
    }
}

extension UnsafeRawBufferPointer {
    /// The bytes of a range; nil where it is not present.
    func sliceIfPresent(_ range: ByteRange) -> UnsafeRawBufferPointer? {
        range.isPresent ? slice(range) : nil
    }
}
