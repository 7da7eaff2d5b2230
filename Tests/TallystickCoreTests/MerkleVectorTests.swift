import Foundation
import TallystickCore
import TallystickTestSupport
import Testing

@Suite(
    "Public Merkle proof vectors",
    .enabled(if: PublicVectors.arePresent, Comment(rawValue: PublicVectors.absence))
)
struct MerkleVectorTests {
    private struct Inclusion: Decodable {
        let leafIdx: UInt64
        let treeSize: UInt64
        let root: Data?
        let leafHash: Data?
        let proof: [Data?]?
        let wantErr: Bool
    }

    private struct Consistency: Decodable {
        let size1: UInt64
        let size2: UInt64
        let root1: Data?
        let root2: Data?
        let proof: [Data?]?
        let wantErr: Bool
    }

    private func vectors<Vector: Decodable>(
        _ folder: String,
        _ type: Vector.Type
    ) throws -> [(path: String, vector: Vector)] {
        try PublicVectors.files(under: folder).filter { $0.hasSuffix(".json") }.map { path in
            let bytes = try #require(PublicVectors.bytes(path))
            return (path, try JSONDecoder().decode(type, from: Data(bytes)))
        }
    }

    private func digest(_ data: Data?) -> SHA256Digest? {
        [UInt8](data ?? Data()).withUnsafeBytes { SHA256Digest(bytes: $0) }
    }

    private func isValid(_ vector: Inclusion) -> Bool {
        guard let index = Int64(exactly: vector.leafIdx),
            let size = Int64(exactly: vector.treeSize),
            let root = digest(vector.root), let leafHash = digest(vector.leafHash),
            let proof = InclusionProof(
                leafIndex: index,
                treeSize: size,
                hashes: (vector.proof ?? []).map { [UInt8]($0 ?? Data()) }
            )
        else { return false }
        return proof.isValid(leafHash: leafHash, root: root)
    }

    private func isValid(_ vector: Consistency) -> Bool {
        guard let first = Int64(exactly: vector.size1), let second = Int64(exactly: vector.size2),
            let proof = ConsistencyProof(
                firstSize: first,
                secondSize: second,
                hashes: (vector.proof ?? []).map { [UInt8]($0 ?? Data()) }
            )
        else { return false }
        return proof.isValid(
            firstRoot: [UInt8](vector.root1 ?? Data()),
            secondRoot: [UInt8](vector.root2 ?? Data())
        )
    }

    @Test("98 inclusion proofs get the verdicts of the vectors")
    func inclusion() throws {
        let vectors = try vectors("merkle/inclusion", Inclusion.self)
        for (path, vector) in vectors { #expect(isValid(vector) != vector.wantErr, "\(path)") }
        #expect(vectors.count == 98)
        #expect(vectors.contains { !$0.vector.wantErr })
    }

    @Test("98 consistency proofs get the verdicts of the vectors")
    func consistency() throws {
        let vectors = try vectors("merkle/consistency", Consistency.self)
        for (path, vector) in vectors { #expect(isValid(vector) != vector.wantErr, "\(path)") }
        #expect(vectors.count == 98)
        #expect(vectors.contains { !$0.vector.wantErr })
    }
}
