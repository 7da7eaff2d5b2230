/// What to ignore when copies of an event are compared. Names are compared as bytes, never by Unicode equivalence.
package struct ComparisonRules: Sendable, Equatable {
    /// Names of context attributes.
    package var ignoredAttributes: [String]
    /// JSON Pointers (RFC 6901) into the data; the empty one means all of it.
    package var ignoredData: [String]

    package init(ignoredAttributes: [String] = [], ignoredData: [String] = []) {
        self.ignoredAttributes = ignoredAttributes
        self.ignoredData = ignoredData
    }
}

/// Rules, prepared for looking up member by member.
struct IgnoredMembers: Sendable {
    private let attributes: [[UInt8]]
    let data: IgnoredPlaces

    init(_ rules: ComparisonRules) {
        attributes = rules.ignoredAttributes.map { Array($0.utf8) }
        data = IgnoredPlaces(rules.ignoredData)
    }

    /// Whether to ignore a member of the event. `data` is not an attribute: pointers determine which parts of it are
    /// ignored.
    func contains(_ name: some Collection<UInt8>) -> Bool {
        let isData = name.elementsEqual("data".utf8)
        if data.isIgnored, isData || name.elementsEqual("data_base64".utf8) { return true }
        return !isData && attributes.contains { $0.elementsEqual(name) }
    }
}

/// A place in data, with the ignored places below it.
struct IgnoredPlaces: Sendable {
    /// Whether to ignore the place and everything in it.
    private(set) var isIgnored = false
    private var children: [Child] = []

    private struct Child {
        let name: [UInt8]
        /// The array element that the name refers to.
        let index: Int?
        var place = IgnoredPlaces()
    }

    /// - parameter pointers: text that is not a JSON Pointer is ignored.
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

    /// A member of an object; nil if nothing there is ignored.
    func member(_ name: some Collection<UInt8>) -> IgnoredPlaces? {
        children.first { $0.name.count == name.count && $0.name.elementsEqual(name) }?.place
    }

    /// An element of an array; nil if nothing there is ignored.
    func element(_ index: Int) -> IgnoredPlaces? { children.first { $0.index == index }?.place }
}
