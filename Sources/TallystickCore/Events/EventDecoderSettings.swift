/// The settings that a decoder needs.
package struct EventDecoderSettings: Sendable {
    /// Names of delivery attributes, including the built-in ones.
    package var deliveryAttributes: Set<String>
    package var classification: Classification
    /// The checksum of each category, by its index in the classification.
    package var checksums: [ChecksumAlgorithm]
    /// Makes checksums, and verifies those that senders declare.
    package var checksummer = Checksummer()
    /// The key that new HMACs are made with.
    package var keyID: String?
    /// Adapts other JSON objects; nil for CloudEvents.
    package var mapping: EventMapping?
    /// Names that cannot be a source, because they are delivery paths.
    package var origins: Set<String>

    package init(
        deliveryAttributes: Set<String> = EventAttributes.builtInDelivery,
        classification: Classification = .standard,
        checksums: [ChecksumAlgorithm] = [.sha256, .crc32, .crc32, .crc32, .crc32],
        mapping: EventMapping? = nil,
        origins: Set<String> = []
    ) {
        self.deliveryAttributes = deliveryAttributes
        self.classification = classification
        self.checksums = checksums
        self.mapping = mapping
        self.origins = origins
    }

    /// The checksum for a category's events; CRC-32 by default.
    func checksum(of category: Int32) -> ChecksumAlgorithm {
        let index = Int(category)
        return checksums.indices.contains(index) ? checksums[index] : .crc32
    }
}
