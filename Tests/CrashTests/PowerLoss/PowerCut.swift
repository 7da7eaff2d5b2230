import TallystickTestSupport

/// The part of the unsynced changes that survives.
enum Survival: Int, CaseIterable {
    case nothing
    case everything
    /// Names survive, contents do not.
    case namesOnly
    /// Contents survive, names do not.
    case contentOnly
    /// Names and sizes survive; the data is zeros.
    case sizesOnly
    /// Everything up to some moment, whose write is torn at 512 or 4,096 bytes.
    case prefix
    /// Any of the writes, and names up to some moment.
    case anyWrites
    /// Any of the writes, each of them torn, and any of the names.
    case anyTorn
    /// All changes except one.
    case allButOne
    /// Only one change.
    case onlyOne
}

/// The power is cut after some operation.
struct PowerCut: Equatable {
    /// The number of completed operations.
    var operation: Int
    var survival: Survival
    /// Draws the surviving changes.
    var seed: UInt64

    /// The cut with a number: first each kind of survival after each operation, in a scattered order that starts at a
    /// place given by the seed, then random ones.
    ///
    /// - parameter cuts: the numbers of operations after which the disk may have changed.
    init(number: Int, seed: UInt64, cuts: [Int]) {
        var random = SeededGenerator(seed: seed ^ UInt64(number) &* 0xD1B5_4A32_D192_ED03)
        self.seed = random.next()
        let kinds = Survival.allCases
        let systematic = cuts.count * kinds.count
        let index: Int
        if number < systematic {
            let stride = Self.stride(for: systematic)
            index = Int((UInt64(number) * stride + seed % UInt64(systematic)) % UInt64(systematic))
        } else {
            index = Int(random.next() % UInt64(systematic))
        }
        operation = cuts[index / kinds.count]
        survival = kinds[index % kinds.count]
    }

    /// A step that visits every index once, and scatters the first ones: about the golden section of all.
    private static func stride(for count: Int) -> UInt64 {
        var step = max(1, Int(Double(count) * 0.618))
        while !areCoprime(step, count) { step += 1 }
        return UInt64(step)
    }

    private static func areCoprime(_ first: Int, _ second: Int) -> Bool {
        var (larger, smaller) = (second, first)
        while smaller != 0 { (larger, smaller) = (smaller, larger % smaller) }
        return larger == 1
    }
}

extension SimulatedDisk {
    /// The files on the disk after the power cut, by path.
    func state(after cut: PowerCut) -> [String: [UInt8]] {
        var random = SeededGenerator(seed: cut.seed)
        let orders = (files.flatMap(\.pending).map(\.order) + pendingNames.map(\.order)).sorted()
        let chosen = orders.isEmpty ? 0 : orders[Int(random.next() % UInt64(orders.count))]
        let unit = random.next() % 2 == 0 ? 512 : SimulatedFile.pageBytes
        let keepsDoubtful = random.next() % 4

        var names = durableNames
        for pending in pendingNames {
            let survives =
                switch cut.survival {
                case .nothing, .contentOnly: false
                case .everything, .namesOnly, .sizesOnly: true
                case .prefix, .anyWrites: pending.order <= chosen
                case .anyTorn: random.next() % 2 == 0
                case .allButOne: pending.order != chosen
                case .onlyOne: pending.order == chosen
                }
            if survives { Self.apply(pending.change, to: &names) }
        }
        var contents: [Int: [UInt8]] = [:]
        for file in Set(names.values).sorted() {
            contents[file] = files[file].content(
                cut.survival,
                chosen,
                tornAt: unit,
                keepsDoubtful,
                &random
            )
        }
        return names.compactMapValues { contents[$0] }
    }
}

extension SimulatedFile {
    /// - parameter chosen: the change to which `prefix`, `allButOne` and `onlyOne` refer.
    /// - parameter keepsDoubtful: 0: all pages of a failed sync survive; 1: some; else none.
    fileprivate func content(
        _ survival: Survival,
        _ chosen: Int,
        tornAt unit: Int,
        _ keepsDoubtful: UInt64,
        _ random: inout SeededGenerator
    ) -> [UInt8] {
        var content = durable
        for page in doubtful.keys.sorted() {
            guard keepsDoubtful == 0 || (keepsDoubtful == 1 && random.next() % 2 == 0) else {
                continue
            }
            let change = Change.write(offset: page * Self.pageBytes, bytes: doubtful[page] ?? [])
            Self.apply(change, to: &content)
        }
        if survival == .sizesOnly {
            Self.apply(.resize(to: cached.count), to: &content)
            return content
        }
        for pending in pending {
            switch survival {
            case .nothing, .namesOnly, .sizesOnly: continue
            case .everything, .contentOnly: Self.apply(pending.change, to: &content)
            case .prefix where pending.order < chosen: Self.apply(pending.change, to: &content)
            case .prefix where pending.order == chosen:
                Self.tear(pending.change, at: unit, &content, &random)
            case .prefix: continue
            case .anyWrites:
                if random.next() % 2 == 0 { Self.apply(pending.change, to: &content) }
            case .anyTorn: Self.tear(pending.change, at: unit, &content, &random)
            case .allButOne:
                if pending.order != chosen { Self.apply(pending.change, to: &content) }
            case .onlyOne:
                if pending.order == chosen { Self.apply(pending.change, to: &content) }
            }
        }
        return content
    }

    /// Applies some of the units of a write.
    private static func tear(
        _ change: Change,
        at unit: Int,
        _ content: inout [UInt8],
        _ random: inout SeededGenerator
    ) {
        guard case .write(let offset, let bytes) = change else {
            if random.next() % 2 == 0 { apply(change, to: &content) }
            return
        }
        var start = offset
        while start < offset + bytes.count {
            let end = min((start / unit + 1) * unit, offset + bytes.count)
            if random.next() % 2 == 0 {
                let part = Array(bytes[start - offset..<end - offset])
                apply(.write(offset: start, bytes: part), to: &content)
            }
            start = end
        }
    }
}
