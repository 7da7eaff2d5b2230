import TallystickCore
import TallystickSQLite

/// Compares what delivery paths brought, in one pass over the store.
final class OriginComparer {
    private static let operation = "compare origins"
    /// Places that are counted; further ones are not, for their number has no bound.
    private static let countedPlaces = 100_000
    private static let listedPlaces = 20
    private static let countedGroups = 100_000

    /// What an origin delivered last of the current event.
    private enum Latest: Equatable {
        case none
        /// The bytes of the event as appended.
        case appended
        case copy(Int64, SHA256Digest)
    }

    private struct Pair {
        var second: Int
        var counts = OriginComparison.Counts()
        /// By the number of the group: an id, or hours or days since 1970.
        var groups: [Int64: OriginComparison.Counts] = [:]
        var places: [String: Int64] = [:]
    }

    private let options: OriginComparisonOptions
    private let source: EventSource
    private let deliveries: DeliveryRows
    private let copies: CopyRows
    private let names: NameCache?
    private let ids: [Int64?]
    private var comparison: ContentComparison
    private var event: DeliveryRows.Event?
    private var latest: [Latest]
    private var pairs: [Pair]

    /// Told of each difference; false ends the comparison.
    private let onDifference: ((OriginDifference) throws -> Bool)?

    init(
        _ connection: Connection,
        _ options: OriginComparisonOptions,
        _ checksummer: Checksummer,
        onDifference: ((OriginDifference) throws -> Bool)?
    ) throws {
        self.options = options
        self.onDifference = onDifference
        source = try EventSource(connection, checksummer)
        deliveries = try DeliveryRows(in: connection)
        copies = try CopyRows(in: connection)
        names = try options.grouping?.dictionary.map { try NameCache($0, in: connection) }
        let origins = try DictionaryRows(.origins, in: connection)
        ids = try options.origins.map { name in
            var name = name
            return try name.withUTF8 { try origins.id(of: UnsafeRawBufferPointer($0)) }
        }
        let rules = try ConfigurationHistory(in: connection).newest.settings.comparison
        comparison = ContentComparison(rules: rules, listsIgnored: false)
        latest = Array(repeating: .none, count: ids.count)
        pairs = ids.indices.dropFirst().map { Pair(second: $0) }
    }

    /// - parameter isStopped: asked between chunks of events.
    func compare(isStopped: () -> Bool) throws -> [OriginComparison] {
        source.beginTransaction()
        do {
            try deliveries.forEach(
                through: try source.head(),
                event: { event in
                    try finishEvent()
                    begin(event)
                },
                copy: { copy in
                    guard let index = ids.firstIndex(of: copy.originID) else { return }
                    latest[index] =
                        copy.contentDigest.map { .copy(copy.copyID, $0) } ?? .appended
                },
                pause: { position in
                    guard isStopped() else { return }
                    throw StoreError(
                        .interrupted,
                        during: Self.operation,
                        on: "position \(position)",
                        "it was stopped"
                    )
                }
            )
            try finishEvent()
        } catch is Enough {}
        return try pairs.map(result)
    }

    /// The caller wants no more differences.
    private struct Enough: Error {}

    private func begin(_ event: DeliveryRows.Event) {
        let time = event.time ?? event.recordedAt
        if let since = options.since?.microseconds, time < since { return }
        if let until = options.until?.microseconds, time >= until { return }
        self.event = event
        for index in ids.indices {
            latest[index] = ids[index] == event.originID ? .appended : .none
        }
    }

    // MARK: One event

    private func finishEvent() throws {
        guard let event else { return }
        self.event = nil
        for index in pairs.indices {
            let (first, second) = (latest[0], latest[pairs[index].second])
            var places: [String] = []
            let kind: OriginDifference.Kind?
            switch (first, second) {
            case (.none, .none): continue
            case (_, .none): kind = .onlyFirst
            case (.none, _): kind = .onlySecond
            default:
                places = try differences(event.position, first, second)
                kind = places.isEmpty ? nil : .differ
            }
            try count(kind, places, event, in: index)
            guard let kind, let onDifference else { continue }
            let isWanted = try onDifference(
                OriginDifference(
                    kind: kind,
                    first: options.origins[0],
                    second: options.origins[pairs[index].second],
                    event: try stored(event.position),
                    differsIn: places
                )
            )
            if !isWanted { throw Enough() }
        }
    }

    private func count(
        _ kind: OriginDifference.Kind?,
        _ places: [String],
        _ event: DeliveryRows.Event,
        in pair: Int
    ) throws {
        pairs[pair].counts.add(kind)
        for place in places {
            let isKnown = pairs[pair].places[place] != nil
            if isKnown || pairs[pair].places.count < Self.countedPlaces {
                pairs[pair].places[place, default: 0] += 1
            }
        }
        guard let grouping = options.grouping else { return }
        pairs[pair].groups[grouping.number(of: event), default: .init()].add(kind)
        guard pairs[pair].groups.count <= Self.countedGroups else {
            throw StoreError(
                .limitReached,
                during: Self.operation,
                on: "grouping by \(grouping.rawValue)",
                "there are more than \(Self.countedGroups) groups",
                hint: "Compare a shorter time, or group by another property"
            )
        }
    }

    // MARK: Contents

    /// The places in which two deliveries of an event differ; empty where they agree.
    private func differences(
        _ position: Int64,
        _ first: Latest,
        _ second: Latest
    ) throws -> [String] {
        switch (first, second) {
        case (.appended, .appended): return []
        case (.copy(_, let one), .copy(_, let other)) where one == other: return []
        default: break
        }
        let (one, other) = (try content(first, position), try content(second, position))
        return try one.withUnsafeBytes { one in
            try other.withUnsafeBytes { other in
                let difference = try comparison.difference(one, other)
                // More differ than are listed, or the rules see what no place names.
                return difference.agrees || !difference.places.isEmpty
                    ? difference.places : ["/data"]
            }
        }
    }

    private func content(_ delivery: Latest, _ position: Int64) throws -> [UInt8] {
        guard case .copy(let copyID, let digest) = delivery else {
            return try stored(position).content
        }
        guard let content = try copies.content(of: copyID), SHA256Digest(hashing: content) == digest
        else {
            throw StoreError(
                .integrity,
                during: Self.operation,
                on: "copy \(copyID)",
                "its content is not the one that was recorded",
                hint: "Verify the store"
            )
        }
        return content
    }

    /// The event as appended, verified.
    private func stored(_ position: Int64) throws -> StoredEvent {
        var event: StoredEvent?
        try source.withEvent(at: position, watermark: nil) {
            event = try $0.map { try StoredEvent($0) }
        }
        guard let event else {
            throw StoreError(
                .integrity,
                during: Self.operation,
                on: "position \(position)",
                "the event is gone",
                hint: "Verify the store"
            )
        }
        return event
    }

    // MARK: The result

    private func result(_ pair: Pair) throws -> OriginComparison {
        var groups: [OriginComparison.Group] = []
        if let grouping = options.grouping {
            let named = try pair.groups.map { number, counts in
                let name =
                    try names.map { try $0.text(number) } ?? grouping.name(ofSpan: number)
                return (number, OriginComparison.Group(name: name, counts: counts))
            }
            groups = named.sorted {
                names == nil
                    ? $0.0 < $1.0
                    : $0.1.name.utf8.lexicographicallyPrecedes($1.1.name.utf8)
            }.map(\.1)
        }
        let places = pair.places.sorted {
            ($1.value, $0.key) < ($0.value, $1.key)
        }
        return OriginComparison(
            first: options.origins[0],
            second: options.origins[pair.second],
            counts: pair.counts,
            groups: groups,
            members: places.prefix(Self.listedPlaces).map { .init(place: $0.key, events: $0.value) }
        )
    }
}

extension OriginComparison.Counts {
    fileprivate mutating func add(_ kind: OriginDifference.Kind?) {
        switch kind {
        case nil: same += 1
        case .onlyFirst: onlyFirst += 1
        case .onlySecond: onlySecond += 1
        case .differ: differ += 1
        }
    }
}

extension OriginComparisonOptions.Grouping {
    /// The dictionary whose ids are the groups; nil for spans of time.
    fileprivate var dictionary: NameDictionary? {
        switch self {
        case .hour, .day: nil
        case .category: .categories
        case .stream: .streams
        case .type: .types
        }
    }

    /// Microseconds of a group.
    private var span: Int64 { self == .hour ? 3_600_000_000 : 86_400_000_000 }

    /// The group of an event: an id, or the number of spans since 1970.
    fileprivate func number(of event: DeliveryRows.Event) -> Int64 {
        switch self {
        case .category: return event.categoryID
        case .stream: return event.streamID
        case .type: return event.typeID
        case .hour, .day:
            let time = event.time ?? event.recordedAt
            let (quotient, rest) = time.quotientAndRemainder(dividingBy: span)
            return rest < 0 ? quotient - 1 : quotient
        }
    }

    fileprivate func name(ofSpan number: Int64) -> String {
        let text = RFC3339.string(microseconds: number * span)
        let length = self == .hour ? "2026-03-01T10:00".count : "2026-03-01".count
        return String(text.prefix(length)) + (self == .hour ? "Z" : "")
    }
}
