/// The members of one record that are set, in canonical order.
struct EventMembers: Sendable {
    struct Member {
        var kind: EventAttributes.Kind
        /// The node of its name; the node of its value follows.
        var name: Int32
    }

    private(set) var all: [Member] = []

    /// Lists the members that are set, and validates their names and values.
    ///
    /// - parameter delivery: names of delivery attributes.
    mutating func collect(
        _ tape: JSONTape,
        _ bytes: UnsafeRawBufferPointer,
        delivery: [[UInt8]]
    ) throws(EventRejection) {
        all.removeAll(keepingCapacity: true)
        var name = 1
        let orderStart = Int(tape.nodes[0].orderStart)
        for index in 0..<Int(tape.nodes[0].count) {
            if orderStart >= 0 { name = Int(tape.order[orderStart + index]) }
            let text =
                tape.nodes[name].hasEscapes
                ? EventAttributes.Kind.invalid
                : EventAttributes.kind(of: tape.content(name, bytes), delivery: delivery)
            if text == .invalid {
                throw EventRejection(
                    "attribute_name",
                    at: Int(tape.nodes[name].start),
                    "an attribute's name has characters other than lower-case letters and digits"
                )
            }
            // In the JSON format, null is a way to write an attribute that is not set.
            if tape.nodes[name + 1].kind != .null || text == .data {
                try EventAttributes.validate(
                    text,
                    named: tape.content(name, bytes),
                    value: name + 1,
                    of: tape,
                    in: bytes
                )
                all.append(Member(kind: text, name: Int32(name)))
            }
            name = Int(tape.nodes[name + 1].next)
        }
        for required: EventAttributes.Kind in [.specversion, .id, .source, .type]
        where !all.contains(where: { $0.kind == required }) {
            throw EventRejection("missing_attribute", "the attribute '\(required)' is missing")
        }
        if all.contains(where: { $0.kind == .data }),
            all.contains(where: { $0.kind == .dataBase64 })
        {
            throw EventRejection(
                "data_and_data_base64",
                "an event has either 'data' or 'data_base64', not both"
            )
        }
    }

    /// The value of an attribute, which is not a delivery's.
    func node(_ kind: EventAttributes.Kind) -> Int? {
        for member in all where member.kind == kind { return Int(member.name) + 1 }
        return nil
    }

    /// The value of a delivery attribute.
    func delivered(_ name: String, _ tape: JSONTape, _ bytes: UnsafeRawBufferPointer) -> Int? {
        for member in all where member.kind == .delivery {
            if tape.content(Int(member.name), bytes).elementsEqual(name.utf8) {
                return Int(member.name) + 1
            }
        }
        return nil
    }
}
