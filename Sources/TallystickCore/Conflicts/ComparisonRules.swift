/// What does not count when copies of an event are compared. Names are told apart by bytes, never by Unicode
/// equivalence.
package struct ComparisonRules: Sendable, Equatable {
    /// Names of context attributes.
    package var ignoredAttributes: [String]
    /// JSON Pointers (RFC 6901) into the data; the empty one is all of it.
    package var ignoredData: [String]

    package init(ignoredAttributes: [String] = [], ignoredData: [String] = []) {
        self.ignoredAttributes = ignoredAttributes
        self.ignoredData = ignoredData
    }
}

/// Rules, ready to be asked member by member.
struct IgnoredMembers: Sendable {
    private let attributes: [[UInt8]]
    let data: IgnoredPlaces

    init(_ rules: ComparisonRules) {
        attributes = rules.ignoredAttributes.map { Array($0.utf8) }
        data = IgnoredPlaces(rules.ignoredData)
    }

    /// Whether a member of the event does not count. `data` is no attribute: pointers say what of it counts.
    func contains(_ name: some Collection<UInt8>) -> Bool {
        let isData = name.elementsEqual("data".utf8)
        if data.isIgnored, isData || name.elementsEqual("data_base64".utf8) { return true }
        return !isData && attributes.contains { $0.elementsEqual(name) }
    }
}

/// A place in data, with the ignored places below it.
struct IgnoredPlaces: Sendable {
    /// Whether the place does not count, and all that is in it.
    private(set) var isIgnored = false
    private var children: [Child] = []

    private struct Child {
        let name: [UInt8]
        /// The element that the name means in an array.
        let index: Int?
        var place = IgnoredPlaces()
    }

    /// - parameter pointers: what is no JSON Pointer names no place.
    init(_ pointers: [String]) {
        for pointer in pointers {
            if let pointer = JSONPointer(pointer) { insert(pointer.tokens[...]) }
        }
    }

    private init() {}

    private mutating func insert(_ tokens: ArraySlice<String>) {
        guard let token = tokens.first else {
            isIgnored = true
            return
        }
        let name = Array(token.utf8)
        let found = children.firstIndex { $0.name == name }
        if found == nil { children.append(Child(name: name, index: JSONPointer.index(token))) }
        children[found ?? children.count - 1].place.insert(tokens.dropFirst())
    }

    /// A member of an object; nil where nothing there is ignored.
    func member(_ name: some Collection<UInt8>) -> IgnoredPlaces? {
        children.first { $0.name.count == name.count && $0.name.elementsEqual(name) }?.place
    }

    /// An element of an array; nil where nothing there is ignored.
    func element(_ index: Int) -> IgnoredPlaces? { children.first { $0.index == index }?.place }
}
