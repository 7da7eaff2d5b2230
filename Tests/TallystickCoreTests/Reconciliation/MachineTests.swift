import TallystickCore
import Testing

@Suite("Reconciliation: state machine, sampling, presence, sequences")
struct MachineTests {
    typealias Machine = ReconciliationMachine

    /// The state to which each event leads from each state; everything else is refused.
    private static func expected(_ state: Machine.State, _ event: Machine.Event) -> Machine.State? {
        switch (state, event) {
        case (.idle, .start): .collecting
        case (.collecting, .collected): .comparing
        case (.comparing, .compared): .resolving
        case (.resolving, .resolved): .verifying
        case (.verifying, .verified): .completed
        case (.collecting, .pause), (.comparing, .pause), (.resolving, .pause),
            (.verifying, .pause):
            .paused
        case (.paused, .resume): .comparing
        case (.completed, _), (.failed, _), (.cancelled, _): nil
        case (_, .fail): .failed
        case (_, .cancel): .cancelled
        default: nil
        }
    }

    @Test("Every state and event", arguments: Machine.State.allCases, Machine.Event.allCases)
    func transitions(_ state: Machine.State, _ event: Machine.Event) throws {
        let pausedIn: Machine.State? = state == .paused ? .comparing : nil
        var machine = try #require(Machine(state: state, pausedIn: pausedIn))
        let next = machine.apply(event)
        let expected = Self.expected(state, event)
        #expect(next == expected)
        #expect(machine.state == expected ?? state)
        #expect((machine.pausedIn != nil) == (machine.state == .paused))
    }

    @Test("A paused run resumes where it was", arguments: Machine.State.allCases)
    func resume(_ state: Machine.State) throws {
        guard state.isWorking else {
            #expect(Machine(state: .paused, pausedIn: state) == nil)
            return
        }
        var machine = try #require(Machine(state: state, pausedIn: nil))
        machine.apply(.pause)
        #expect(machine.pausedIn == state)
        machine.apply(.resume)
        #expect(machine.state == state)
        #expect(Machine(state: state, pausedIn: .comparing) == nil)
        #expect(Machine(state: .paused, pausedIn: nil) == nil)
    }

    // MARK: Sampling

    private func category(_ percentage: String, enabled: Bool = true) throws
        -> StoreSettings.Category
    {
        let json =
            "{\"categories\":{\"debug\":{\"percentage\":\(percentage),\"enabled\":\(enabled)}}}"
        let settings = try StoreSettings(json: Array(json.utf8))
        return try #require(settings[category: "debug"])
    }

    @Test("The sample number is the documented one")
    func sampleNumber() throws {
        // Python: d=sha256(b"tallystick sample 1\n"+(2).to_bytes(4,"big")+b"/s"+(1).to_bytes(4,"big")+b"1").digest()
        //         (int.from_bytes(d[:8],"big")>>11)/2**53
        #expect(Sampling.number(source: "/s", id: "1") == 0.2930232391632289)
        #expect(Sampling.number(source: "", id: "é") == 0.4827175197114927)
    }

    @Test(
        "A share of the events is in the sample; a higher percentage keeps the sample of a lower one"
    )
    func sample() throws {
        let (ten, half) = (try category("10"), try category("50"))
        var counts = (ten: 0, half: 0)
        for number in 0..<20_000 {
            let id = "event-\(number)"
            let isInTen = Sampling.includes(source: "/s", id: id, in: ten)
            let isInHalf = Sampling.includes(source: "/s", id: id, in: half)
            if isInTen {
                counts.ten += 1
                #expect(isInHalf)
            }
            if isInHalf { counts.half += 1 }
        }
        #expect((1800...2200).contains(counts.ten))
        #expect((9700...10_300).contains(counts.half))
        #expect(try !Sampling.includes(source: "/s", id: "1", in: category("0")))
        #expect(try Sampling.includes(source: "/s", id: "1", in: category("100")))
        #expect(try !Sampling.includes(source: "/s", id: "1", in: category("100", enabled: false)))
    }

    // MARK: Presence

    @Test("The presence of a copy follows from the origin's deliveries around the window")
    func presence() {
        func evaluate(
            _ first: Int64?,
            _ next: Int64?,
            _ last: Int64?,
            asOf: Int64 = 1000,
            copy: Bool = false
        )
            -> Presence
        {
            Presence.evaluate(
                recordedAt: 100,
                window: 50,
                hasCopy: copy,
                deliveries: .init(first: first, next: next, last: last),
                asOf: asOf
            )
        }
        #expect(evaluate(10, 120, 160, copy: true) == .present)
        #expect(evaluate(nil, nil, nil) == .notExpected)
        #expect(evaluate(100, 120, 160) == .notExpected)
        #expect(evaluate(120, 120, 160) == .notExpected)
        #expect(evaluate(99, 120, 151) == .missing)
        #expect(evaluate(10, 150, 151) == .missing)
        #expect(evaluate(10, 120, 150) == .pending, "nothing after the window closed")
        #expect(evaluate(10, nil, 90) == .silent)
        #expect(evaluate(10, 151, 400) == .silent, "nothing while the window was open")
        #expect(evaluate(10, nil, 90, asOf: 150) == .pending, "the window is open")
        #expect(evaluate(10, 120, 160, asOf: 150) == .pending)
        let far = Presence.evaluate(
            recordedAt: .max - 5,
            window: 50,
            hasCopy: false,
            deliveries: .init(first: 1, next: nil, last: 1),
            asOf: .max
        )
        #expect(far == .pending)
    }

    // MARK: Sequences

    @Test("Numbers that arrive in any order leave exactly the real gaps", arguments: 0..<50)
    func gaps(_ seed: Int) {
        let numbers = (0..<30).filter { (seed * 31 + $0 * 17) % 5 != 0 }.map(Int64.init)
        var order = numbers
        // A fixed shuffle.
        for index in order.indices {
            order.swapAt(index, (index * 7 + seed * 13) % order.count)
        }
        var known: Set<Int64> = []
        var gaps: Set<SequenceRules.Gap> = []
        for number in order {
            let change = SequenceRules.place(
                number,
                isKnown: known.contains(number),
                previous: known.filter { $0 < number }.max(),
                next: known.filter { $0 > number }.min()
            )
            guard case .placed(let removed, let added) = change else {
                Issue.record("seed \(seed): \(number) collides")
                return
            }
            if let removed {
                let wasThere = gaps.remove(removed) != nil
                #expect(wasThere, "seed \(seed)")
            }
            gaps.formUnion(added)
            known.insert(number)
        }
        let missing = gaps.flatMap { Array($0.first...$0.last) }.sorted()
        let lowest = numbers.first ?? 0
        let highest = numbers.last ?? 0
        #expect(missing == (lowest...highest).filter { !known.contains($0) }, "seed \(seed)")
    }

    @Test("A number that is already known collides; text that is not a whole number is ignored")
    func collisions() {
        #expect(SequenceRules.place(3, isKnown: true, previous: 2, next: 4) == .collision)
        #expect(SequenceRules.number("0012") == 12)
        #expect(SequenceRules.number("-3") == -3)
        for text in ["", "a", "1.0", "+1", "9223372036854775808", " 1"] {
            #expect(SequenceRules.number(text) == nil, "\(text)")
        }
        #expect(
            SequenceRules.place(.max, isKnown: false, previous: .min, next: nil)
                == .placed(removed: nil, added: [.init(first: .min + 1, last: .max - 1)])
        )
    }

    @Test("The trustworthiness of a stored event's bytes")
    func atRest() {
        #expect(AtRest.conflict(leafAgrees: true, checksumAgrees: true) == nil)
        #expect(AtRest.conflict(leafAgrees: true, checksumAgrees: nil) == .unverifiable)
        #expect(AtRest.conflict(leafAgrees: true, checksumAgrees: false) == .tamperedAtRest)
        #expect(AtRest.conflict(leafAgrees: false, checksumAgrees: true) == .tamperedAtRest)
        #expect(AtRest.conflict(leafAgrees: false, checksumAgrees: nil) == .tamperedAtRest)
    }
}
