/// Decodes CloudEvents 1.0 (JSON format) into batches.
///
/// A decoder remembers names from batch to batch and is used for one run, by one thread.
package struct EventDecoder: Sendable {
    private var settings: EventDecoderSettings
    private var delivery: [[UInt8]]
    private var origins: [[UInt8]]
    private var tape = JSONTape()
    private var names: RunNames
    private var identities = BatchIdentities()
    private var members = EventMembers()
    private var scratch: [UInt8] = []
    /// The stream of the record being decoded, if the caller specifies it.
    private var givenStream: String?

    package init(_ settings: EventDecoderSettings) {
        self.init(settings, expectedNames: NameTable.expectedNames)
    }

    /// - parameter expectedNames: the initial capacity for names.
    init(_ settings: EventDecoderSettings, expectedNames: Int) {
        names = RunNames(expecting: expectedNames)
        self.settings = settings
        delivery = settings.deliveryAttributes.map { Array($0.utf8) }
        origins = settings.origins.map { Array($0.utf8) }
    }

    /// Uses other settings for the batches that begin from now on.
    package mutating func use(_ settings: EventDecoderSettings) {
        self.settings = settings
        delivery = settings.deliveryAttributes.map { Array($0.utf8) }
        origins = settings.origins.map { Array($0.utf8) }
        names.startAfresh()
    }

    /// Empties a batch for the next run of records.
    package mutating func begin(_ batch: inout EventBatch) {
        batch.removeAll()
        names.begin(&batch)
        batch.keyID = settings.keyID
        identities.removeAll()
    }

    /// Decodes one record and adds it to the batch, as an event or as rejected input.
    ///
    /// - parameter stream: the event's stream, if the record does not determine it.
    /// - returns: false if the record's source is the name of a delivery path, which is a mistake in the call of
    ///   ingest, not in the record: nothing of the batch should be stored.
    package mutating func decode(
        _ record: UnsafeRawBufferPointer,
        at place: RecordPlace,
        stream: String? = nil,
        into batch: inout EventBatch
    ) -> Bool {
        givenStream = stream
        let mark = batch.arena.count
        let announced = batch.announcedNames
        do throws(EventRejection) {
            var event: BatchEvent
            if let mapping = settings.mapping {
                let translated = try mapping.translate(record, with: &tape)
                var failure: EventRejection?
                event = translated.withUnsafeBytes { bytes in
                    do throws(EventRejection) {
                        return try decodeEvent(bytes, into: &batch)
                    } catch {
                        failure = error
                        return BatchEvent()
                    }
                }
                if var failure {
                    failure.offset = 0
                    throw failure
                }
            } else {
                event = try decodeEvent(record, into: &batch)
            }
            event.place = place
            event.duplicateOf = identities.find(event, in: batch)
            batch.events.append(event)
            return true
        } catch {
            // A name used only by this record stays interned, so it must stay announced as well.
            if announced == batch.announcedNames {
                batch.arena.removeLast(batch.arena.count - mark)
            }
            reject(record, error, at: place, into: &batch)
            return error.code != EventAttributes.sourceIsOrigin
        }
    }

    /// Adds input that was not even a record: too large, or outside the structure of its file.
    package mutating func reject(
        _ bytes: UnsafeRawBufferPointer,
        code: String,
        message: String,
        length: Int64,
        digest: SHA256Digest,
        at place: RecordPlace,
        into batch: inout EventBatch
    ) {
        let start = batch.arena.count
        batch.arena.append(contentsOf: bytes)
        batch.rejected.append(
            RejectedInput(
                code: code,
                message: message,
                place: place,
                bytes: ByteRange(start: start, count: bytes.count),
                length: length,
                digest: digest
            )
        )
    }

    private mutating func reject(
        _ record: UnsafeRawBufferPointer,
        _ reason: EventRejection,
        at place: RecordPlace,
        into batch: inout EventBatch
    ) {
        var place = place
        let offset = min(reason.offset, record.count)
        var column = place.column
        for byte in record[..<offset] {
            if byte == 0x0A {
                place.line += 1
                column = 1
            } else {
                column += 1
            }
        }
        place.column = column
        place.byte += Int64(offset)
        reject(
            record,
            code: reason.code,
            message: reason.message,
            length: Int64(record.count),
            digest: SHA256Digest(hashing: record),
            at: place,
            into: &batch
        )
        batch.rejected[batch.rejected.count - 1].mismatch = reason.mismatch
    }

    // MARK: One event

    private mutating func decodeEvent(
        _ bytes: UnsafeRawBufferPointer,
        into batch: inout EventBatch
    ) throws(EventRejection) -> BatchEvent {
        do throws(JSONError) {
            try tape.parse(bytes)
        } catch {
            throw EventRejection(error.code.rawValue, at: error.offset, error.message)
        }
        guard tape.nodes[0].kind == .object else {
            throw EventRejection(
                "not_an_object",
                "an event must be a JSON object; this is another JSON value"
            )
        }
        try members.collect(tape, bytes, delivery: delivery)
        var event = BatchEvent()
        try writeContent(bytes, &event, into: &batch)
        try resolveStrings(bytes, &event, into: &batch)
        try classify(bytes, &event, into: &batch)
        hash(&event, in: batch)
        try verifyDeclaredChecksum(bytes, event, in: batch)
        return event
    }

    private mutating func writeContent(
        _ bytes: UnsafeRawBufferPointer,
        _ event: inout BatchEvent,
        into batch: inout EventBatch
    ) throws(EventRejection) {
        let start = batch.arena.count
        var separator: UInt8 = 0x7B
        var binary: [UInt8]?
        for member in members.all where member.kind != .delivery {
            let value = Int(member.name) + 1
            batch.arena.append(separator)
            separator = 0x2C
            batch.arena.append(contentsOf: tape.token(value - 1, bytes))
            batch.arena.append(0x3A)
            let valueStart = batch.arena.count
            if member.kind == .dataBase64 {
                let text = JSONString.unescaped(tape.nodes[value], in: bytes)
                guard let decoded = Base64.decode(text) else {
                    throw EventRejection(
                        "bad_base64",
                        at: Int(tape.nodes[value].start),
                        "'data_base64' is not base64 (RFC 4648, section 4)"
                    )
                }
                batch.arena.append(0x22)
                Base64.encode(decoded, to: &batch.arena)
                batch.arena.append(0x22)
                binary = decoded
            } else {
                CanonicalJSON.write(value, of: tape, in: bytes, to: &batch.arena)
            }
            // Without escapes the text stands between the quotation marks just written.
            let text = ByteRange(start: valueStart + 1, count: batch.arena.count - valueStart - 2)
            switch member.kind {
            case .id: event.id = text
            case .subject: event.subject = text
            case .time: event.time = text
            case .dataContentType: event.dataContentType = text
            case .data:
                event.data = ByteRange(start: valueStart, count: batch.arena.count - valueStart)
            default: break
            }
        }
        batch.arena.append(0x7D)
        event.content = ByteRange(start: start, count: batch.arena.count - start)
        if let binary {
            event.data = ByteRange(start: batch.arena.count, count: binary.count)
            event.dataIsBinary = true
            batch.arena.append(contentsOf: binary)
        }
        event.attributes = writeObject(of: .extension, bytes, into: &batch)
        event.deliveryAttributes = writeObject(of: .delivery, bytes, into: &batch)
    }

    /// Appends an object of the members of one kind; nothing if there are none.
    private func writeObject(
        of kind: EventAttributes.Kind,
        _ bytes: UnsafeRawBufferPointer,
        into batch: inout EventBatch
    ) -> ByteRange {
        let start = batch.arena.count
        for member in members.all where member.kind == kind {
            batch.arena.append(batch.arena.count == start ? 0x7B : 0x2C)
            batch.arena.append(contentsOf: tape.token(Int(member.name), bytes))
            batch.arena.append(0x3A)
            CanonicalJSON.write(Int(member.name) + 1, of: tape, in: bytes, to: &batch.arena)
        }
        guard batch.arena.count > start else { return .none }
        batch.arena.append(0x7D)
        return ByteRange(start: start, count: batch.arena.count - start)
    }

    /// Unescapes texts with escapes into a place of their own.
    private mutating func resolveStrings(
        _ bytes: UnsafeRawBufferPointer,
        _ event: inout BatchEvent,
        into batch: inout EventBatch
    ) throws(EventRejection) {
        for member in members.all {
            let value = Int(member.name) + 1
            guard tape.nodes[value].kind == .string, tape.nodes[value].hasEscapes else { continue }
            if member.kind == .data || member.kind == .dataBase64 { continue }
            let text = JSONString.unescaped(tape.nodes[value], in: bytes)
            guard !text.contains(0) else {
                throw EventRejection(
                    "attribute_value",
                    at: Int(tape.nodes[value].start),
                    "an attribute's value contains U+0000"
                )
            }
            let range = ByteRange(start: batch.arena.count, count: text.count)
            switch member.kind {
            case .id: event.id = range
            case .subject: event.subject = range
            case .time: event.time = range
            case .dataContentType: event.dataContentType = range
            default: continue
            }
            batch.arena.append(contentsOf: text)
        }
    }

    // MARK: Names, category, digests

    private mutating func classify(
        _ bytes: UnsafeRawBufferPointer,
        _ event: inout BatchEvent,
        into batch: inout EventBatch
    ) throws(EventRejection) {
        event.source = try internSource(bytes, into: &batch)
        let category: Int32?
        (event.type, category) = internType(bytes, into: &batch)
        internStream(bytes, &event, into: &batch)
        if let category {
            event.category = category
            return
        }
        guard let data = members.node(.data), tape.nodes[data].kind == .object else {
            event.category = settings.classification.category { _ in false }
            return
        }
        event.category = settings.classification.category { key in
            var name = data + 1
            for _ in 0..<Int(tape.nodes[data].count) {
                if tape.content(name, bytes).elementsEqual(key) { return true }
                name = Int(tape.nodes[name + 1].next)
            }
            return false
        }
    }

    private mutating func internSource(
        _ bytes: UnsafeRawBufferPointer,
        into batch: inout EventBatch
    ) throws(EventRejection) -> Int32 {
        guard let node = members.node(.source) else { return 0 }
        scratch.removeAll(keepingCapacity: true)
        CanonicalJSON.write(node, of: tape, in: bytes, to: &scratch)
        for origin in origins where scratch.dropFirst().dropLast().elementsEqual(origin) {
            throw EventRejection(
                EventAttributes.sourceIsOrigin,
                at: Int(tape.nodes[node].start),
                "the event's source is the name of a delivery path; a source names the producer"
            )
        }
        return names.source(scratch, in: &batch)
    }

    /// - returns: the type's number, and its category, which is nil if the data decides.
    private mutating func internType(
        _ bytes: UnsafeRawBufferPointer,
        into batch: inout EventBatch
    ) -> (Int32, Int32?) {
        guard let node = members.node(.type) else { return (0, nil) }
        scratch.removeAll(keepingCapacity: true)
        CanonicalJSON.write(node, of: tape, in: bytes, to: &scratch)
        let (index, isNew) = names.type(scratch, in: &batch)
        if isNew {
            let text = JSONString.unescaped(tape.nodes[node], in: bytes)
            let category = text.withUnsafeBytes { settings.classification.category(ofType: $0) }
            names.setCategory(category, ofNewType: index)
        }
        return (index, names.category(ofType: index))
    }

    private mutating func internStream(
        _ bytes: UnsafeRawBufferPointer,
        _ event: inout BatchEvent,
        into batch: inout EventBatch
    ) {
        scratch.removeAll(keepingCapacity: true)
        if let givenStream {
            CanonicalJSON.writeString(givenStream, to: &scratch)
        } else if let stream = members.delivered(EventAttributes.stream, tape, bytes) {
            CanonicalJSON.write(stream, of: tape, in: bytes, to: &scratch)
        } else if let source = members.node(.source) {
            CanonicalJSON.write(source, of: tape, in: bytes, to: &scratch)
            if let subject = members.node(.subject) {
                scratch[scratch.count - 1] = 0x23
                let mark = scratch.count
                CanonicalJSON.write(subject, of: tape, in: bytes, to: &scratch)
                scratch.remove(at: mark)
            }
        }
        (event.stream, event.streamName) = names.stream(scratch, in: &batch)
    }

    private func hash(_ event: inout BatchEvent, in batch: borrowing EventBatch) {
        let algorithm = settings.checksum(of: event.category)
        batch.arena.withUnsafeBytes { arena in
            let content = arena.slice(event.content)
            event.contentDigest = SHA256Digest(hashing: content)
            // Without the key it is a SHA-256; the code that stores the event knows whether that is enough.
            event.checksum =
                settings.checksummer.checksum(
                    algorithm,
                    keyID: settings.keyID,
                    of: content,
                    digest: event.contentDigest
                ) ?? Checksum(sha256: event.contentDigest)
        }
    }

    private func verifyDeclaredChecksum(
        _ bytes: UnsafeRawBufferPointer,
        _ event: BatchEvent,
        in batch: borrowing EventBatch
    ) throws(EventRejection) {
        guard let declared = delivered("checksum", bytes) else { return }
        let checksum = DeclaredChecksum(
            declared,
            algorithm: delivered("checksumalgorithm", bytes),
            keyID: delivered("checksumkeyid", bytes)
        )
        let verdict = batch.arena.withUnsafeBytes { arena in
            checksum.evaluate(
                arena.slice(event.content),
                event.contentDigest,
                with: settings.checksummer
            )
        }
        guard var rejection = checksum.rejection(for: verdict) else { return }
        if case .differs(let actual) = verdict {
            rejection.mismatch = batch.arena.withUnsafeBytes { arena in
                RejectedInput.ChecksumMismatch(
                    algorithm: checksum.algorithm,
                    expected: String(declared.lowercased().prefix(128)),
                    actual: actual,
                    source: members.node(.source).map {
                        String(
                            decoding: JSONString.unescaped(tape.nodes[$0], in: bytes),
                            as: UTF8.self
                        )
                    } ?? "",
                    eventID: String(decoding: arena.slice(event.id), as: UTF8.self),
                    category: settings.classification.categories[Int(event.category)]
                )
            }
        }
        throw rejection
    }

    private func delivered(_ name: String, _ bytes: UnsafeRawBufferPointer) -> String? {
        guard let node = members.delivered(name, tape, bytes), tape.nodes[node].kind == .string
        else { return nil }
        return JSONString.text(tape.nodes[node], in: bytes)
    }
}
