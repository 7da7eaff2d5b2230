import Tallystick
import TallystickCore
import Testing

@Suite("Append")
struct AppendTests {
    private func event(_ id: String, _ data: String = "1") -> Event {
        Event(id: id, source: "/s", type: "t", data: .json(data))
    }

    @Test(
        "Expectations hold the stream's revision; a repeat returns the original places whatever is expected"
    )
    func expectations() async throws {
        let test = try await TestStore()
        let store = test.store
        let first = try await store.append([event("1"), event("2")], to: "a", expecting: .none)
        #expect(first.map(\.revision) == [Revision(0), Revision(1)])
        #expect(first.map(\.position) == [Position(1), Position(2)])
        #expect(
            try await store.append([event("1"), event("2")], to: "a", expecting: .none) == first
        )
        #expect(
            try await store.append([event("3")], to: "a", expecting: .revision(Revision(1)))[0]
                .revision == Revision(2)
        )
        for wrong in [AppendExpectation.none, .revision(Revision(1)), .revision(Revision(3))] {
            #expect(
                await failureCode {
                    try await store.append([event("4")], to: "a", expecting: wrong)
                }
                    == .expectationFailed
            )
        }
        #expect(
            await failureCode { try await store.append([event("4")], to: "b", expecting: .exists) }
                == .expectationFailed
        )
        #expect(
            try await store.append([event("4")], to: "a", expecting: .exists)[0].position
                == Position(4)
        )
        #expect(try await store.verify().isIntact)
        await store.close()
    }

    @Test(
        "What was refused or known already, with names that are new to the handle, leaves it able to append"
    )
    func appendsAfterARepeat() async throws {
        let test = try await TestStore()
        try await test.store.append([event("1")], to: "a")
        await test.store.close()
        let again = try await EventStore.open(at: test.path)
        // Known: nothing of the batch is recorded, but its names are the handle's first.
        try await again.append([event("1")], to: "a")
        try await again.append([event("2")], to: "a")
        let refused = await failureCode {
            try await again.append([event("3")], to: "new", expecting: .exists)
        }
        #expect(refused == .expectationFailed)
        let other = Event(id: "3", source: "/other", type: "other", data: .json("1"))
        _ = await failureCode { try await again.append([other], to: "b", expecting: .exists) }
        let bad = Event(id: "", source: "/bad", type: "bad", data: .json("1"))
        #expect(await failureCode { try await again.append([other, bad], to: "c") } == .badInput)
        let places = try await again.append([other, event("4")], to: "new")
        #expect(places.map(\.revision) == [Revision(0), Revision(1)])
        #expect(try await again.verify().isIntact)
        await again.close()
    }

    @Test("Other content under a known identity writes nothing, not even the events beside it")
    func otherContent() async throws {
        let test = try await TestStore()
        try await test.store.append([event("1")], to: "a")
        let code = await failureCode {
            try await test.store.append([event("2"), event("1", "9")], to: "a")
        }
        #expect(code == .contentDiffers)
        #expect(
            await failureCode { try await test.store.append([event("1")], to: "b") }
                == .contentDiffers
        )
        #expect(try await test.rows("SELECT count(*) FROM events") == [[.integer(1)]])
        await test.store.close()
    }

    @Test("Some known and some new: the expectation applies, the new ones follow")
    func mixed() async throws {
        let test = try await TestStore()
        let first = try await test.store.append([event("1")], to: "a")
        let both = try await test.store.append(
            [event("1"), event("2")],
            to: "a",
            expecting: .revision(Revision(0))
        )
        #expect(both[0] == first[0])
        #expect(both[1].revision == Revision(1))
        await test.store.close()
    }

    @Test("An event that is not valid is refused with its place")
    func invalid() async throws {
        let test = try await TestStore()
        #expect(
            await failureCode { try await test.store.append([event("")], to: "a") } == .badInput
        )
        #expect(
            await failureCode { try await test.store.append([event("1", "{")], to: "a") }
                == .badInput
        )
        #expect(
            await failureCode { try await test.store.append([event("1")], to: "") }
                == .invalidArgument
        )
        await test.store.close()
        #expect(await failureCode { try await test.store.append([event("1")], to: "a") } == .closed)
    }

    @Test("Two handles append to one stream without losing a revision")
    func twoHandles() async throws {
        let test = try await TestStore()
        let other = try await EventStore.open(at: test.path)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (name, store) in [("x", test.store), ("y", other)] {
                group.addTask {
                    for index in 0..<50 {
                        try await store.append([event("\(name)\(index)")], to: "shared")
                    }
                }
            }
            try await group.waitForAll()
        }
        let rows = try await test.rows(
            "SELECT count(*), max(revision), max(position) FROM event_log WHERE stream = 'shared'"
        )
        #expect(rows == [[.integer(100), .integer(99), .integer(100)]])
        #expect(try await test.store.verify().isIntact)
        await other.close()
        await test.store.close()
    }
}
