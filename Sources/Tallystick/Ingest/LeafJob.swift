import TallystickCore

/// Hashes the leaves of a batch's new events, on another thread than the one that inserts their rows.
///
/// Unchecked Sendable: `results` is written by `run` alone, and read only after the job's end was waited
/// for; everything else is constant.
final class LeafJob: @unchecked Sendable {
    private let batch: EventBatch
    private let new: [Int32]
    private let firstPosition: Int64
    private let revisions: [Int64]
    private let recordedAt: Int64
    private let origin: [UInt8]
    private let categories: [[UInt8]]
    private(set) var results: [SHA256Digest] = []

    init(
        batch: EventBatch,
        new: [Int32],
        firstPosition: Int64,
        revisions: [Int64],
        recordedAt: Int64,
        origin: String,
        categories: [String]
    ) {
        self.batch = batch
        self.new = new
        self.firstPosition = firstPosition
        self.revisions = revisions
        self.recordedAt = recordedAt
        self.origin = Self.json(origin)
        self.categories = categories.map(Self.json)
    }

    func run() {
        var leaf: [UInt8] = []
        var hashes: [SHA256Digest] = []
        hashes.reserveCapacity(new.count)
        batch.arena.withUnsafeBytes { arena in
            origin.withUnsafeBytes { origin in
                for (order, index) in new.enumerated() {
                    let event = batch.events[Int(index)]
                    leaf.removeAll(keepingCapacity: true)
                    // The prefix of a leaf's hash comes first, so that the leaf need not be copied.
                    leaf.append(MerkleHash.leafPrefix)
                    categories[Int(event.category)].withUnsafeBytes { category in
                        Leaf.writeEvent(
                            position: firstPosition + Int64(order),
                            revision: revisions[order],
                            recordedAt: recordedAt,
                            category: category,
                            origin: origin,
                            stream: arena.slice(event.streamName),
                            content: event.contentDigest,
                            delivery: event.deliveryAttributes.isPresent
                                ? arena.slice(event.deliveryAttributes) : nil,
                            to: &leaf
                        )
                    }
                    hashes.append(leaf.withUnsafeBytes { SHA256Digest(hashing: $0) })
                }
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
