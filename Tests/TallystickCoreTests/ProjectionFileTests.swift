import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Projection files")
struct ProjectionFileTests {
    private static let header = "-- tally:projection p\n-- tally:version 1\n"
    private static let on = header + "-- tally:on *\n"

    private func parse(_ text: String) throws -> ProjectionFile {
        try ProjectionFile(Array(text.utf8))
    }

    private func failure(_ bytes: [UInt8]) -> ProjectionFileError? {
        do throws(ProjectionFileError) {
            _ = try ProjectionFile(bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test("The design's example is read in full")
    func example() throws {
        let text = """
            -- tally:projection service_health
            -- tally:version 1
            -- tally:setup
            CREATE TABLE service_health (service TEXT PRIMARY KEY, status TEXT, checks INTEGER NOT NULL, last_position INTEGER NOT NULL) STRICT;
            -- tally:on health_check, health.*
            INSERT INTO service_health VALUES (:data ->> 'service', :data ->> 'status', 1, :position)
            ON CONFLICT (service) DO UPDATE SET status = excluded.status, checks = checks + 1, last_position = excluded.last_position;
            """
        let file = try parse(text)
        #expect(file.name == "service_health")
        #expect(file.version == 1)
        #expect(file.onCorrection == .rebuild)
        #expect(file.setup.count == 1)
        #expect(file.setup[0].line == 4)
        #expect(file.setup[0].column == 1)
        #expect(file.setup[0].sql.hasPrefix("CREATE TABLE"))
        #expect(file.setup[0].sql.hasSuffix("STRICT"))
        #expect(file.on.count == 1)
        #expect(file.correct.isEmpty)
        #expect(file.on[0].line == 5)
        #expect(file.on[0].patterns.map(\.text) == ["health_check", "health.*"])
        #expect(file.on[0].statements[0].parameters == [.data, .position])
        #expect(file.on[0].statements[0].line == 6)
        #expect(file.digest == SHA256Digest(hashing: Array(text.utf8)))
    }

    @Test("Everything the grammar allows")
    func everything() throws {
        let text = """
            -- a free comment, and tally the sums
            /* another; -- tally:on nothing
            -- tally:on nothing */
            -- tally:projection _p2\r
            -- tally:version 2147483647
            -- tally:on-correction apply

            -- tally:on   a , b.c.* ,*
              -- tally this
              INSERT INTO _p2 VALUES (':no; -- tally:on x
            -- tally:on y', "a;""b", [c;d], `e;``f`, :id, :id, :type); ;;
            UPDATE _p2 SET a = /* ; */ 1 -- ; :unknown
            WHERE id = :id AND :recorded_at > x'00'; WITH x AS (SELECT 1) DELETE FROM _p2
            -- free
            ;
            -- tally:setup
            create unique index _p2_i ON _p2 (a);CREATE VIEW _p2_v AS SELECT 1;
            -- tally:correct a
            replace INTO _p2 VALUES (:previous_data, :resolution_id, :decision, :data)
            """
        let file = try parse(text)
        #expect(file.name == "_p2")
        #expect(file.version == 2_147_483_647)
        #expect(file.onCorrection == .apply)
        #expect(file.setup.map(\.line) == [17, 17])
        #expect(file.setup.map(\.column) == [1, 38])
        #expect(file.on.count == 1)
        #expect(file.correct.count == 1)
        #expect(file.on[0].patterns == [EventPattern("a"), .prefix(Array("b.c.".utf8)), .any])
        let statements = file.on[0].statements
        #expect(statements.map(\.line) == [10, 12, 13])
        #expect(statements.map(\.column) == [3, 1, 42])
        #expect(statements.map(\.parameters) == [[.id, .type], [.id, .recordedAt], []])
        #expect(statements[0].sql.contains("-- tally:on y', \"a;\"\"b\""))
        #expect(statements[2].sql == "WITH x AS (SELECT 1) DELETE FROM _p2")
        let correction = file.correct[0].statements[0]
        #expect(correction.parameters == [.previousData, .resolutionID, .decision, .data])
        #expect(correction.sql.hasSuffix(":data)"))
    }

    @Test(
        "Text that the grammar forbids is refused with its place",
        arguments: [
            ("", "header", 1, 1),
            ("\n  SELECT 1;", "header", 2, 3),
            ("-- tally:version 1\n", "header", 1, 1),
            ("-- tally:setup\n", "header", 1, 1),
            ("-- tally:projection p\n", "header", 2, 1),
            ("-- tally:projection p\n-- tally:on *\nDELETE FROM p", "header", 2, 1),
            ("-- tally:projection p\n-- tally:projection p\n", "header", 2, 1),
            (header + "-- tally:version 2\n", "header", 3, 1),
            (on + "DELETE FROM p;\n-- tally:on-correction apply\n", "header", 5, 1),
            ("-- tally:projection\n", "name", 1, 1),
            ("-- tally:projection P\n", "name", 1, 1),
            ("-- tally:projection 1p\n", "name", 1, 1),
            ("-- tally:projection p q\n", "name", 1, 1),
            ("-- tally:projection p-q\n", "name", 1, 1),
            ("-- tally:projection pé\n", "name", 1, 1),
            ("-- tally:projection tally_x\n", "name", 1, 1),
            ("-- tally:projection sqlite\n", "name", 1, 1),
            ("-- tally:projection " + String(repeating: "a", count: 65), "name", 1, 1),
            ("-- tally:projection p\n-- tally:version\n", "version", 2, 1),
            ("-- tally:projection p\n-- tally:version 0\n", "version", 2, 1),
            ("-- tally:projection p\n-- tally:version -1\n", "version", 2, 1),
            ("-- tally:projection p\n-- tally:version +1\n", "version", 2, 1),
            ("-- tally:projection p\n-- tally:version 1.0\n", "version", 2, 1),
            ("-- tally:projection p\n-- tally:version 2147483648\n", "version", 2, 1),
            (header + "-- tally:on-correction ignore\n", "marker", 3, 1),
            (header + "-- tally:onn *\n", "marker", 3, 1),
            (header + "-- tally:\n", "marker", 3, 1),
            (header + "--tally:on *\n", "marker", 3, 1),
            (header + "-- Tally:on *\n", "marker", 3, 1),
            (header + "-- tally:setup now\n", "marker", 3, 1),
            (header + " -- tally:on *\n", "marker_place", 3, 2),
            (header + "-- tally:setup\nCREATE TABLE p (a)\n-- tally:on *\n", "marker_place", 5, 1),
            (on + "DELETE FROM p; -- tally:on x\n", "marker_place", 4, 16),
            (header + "-- tally:on\n", "pattern", 3, 1),
            (header + "-- tally:on a,,b\n", "pattern", 3, 1),
            (header + "-- tally:on a b\n", "pattern", 3, 1),
            (header + "-- tally:on a*\n", "pattern", 3, 1),
            (header + "-- tally:on *.a\n", "pattern", 3, 1),
            (header + "-- tally:on .*\n", "pattern", 3, 1),
            (header, "section", 3, 1),
            (header + "-- tally:setup\nCREATE TABLE p (a);", "section", 4, 20),
            (header + "-- tally:setup\n-- tally:on *\nDELETE FROM p;", "section", 3, 1),
            (on, "section", 3, 1),
            (on + ";;\n", "section", 3, 1),
            (on + "DELETE FROM p;\n-- tally:on b", "section", 5, 1),
            (header + "-- tally:correct *\nDELETE FROM p;", "section", 3, 1),
            (
                header + "-- tally:setup\nCREATE TABLE p (a);\n-- tally:setup\n", "section", 5, 1
            ),
            (header + "DELETE FROM p;", "statement", 3, 1),
            (header + "-- tally:setup\nDROP TABLE p;", "statement", 4, 1),
            (header + "-- tally:setup\nCREATE TEMP TABLE p (a);", "statement", 4, 1),
            (header + "-- tally:setup\nCREATE VIRTUAL TABLE p USING x;", "statement", 4, 1),
            (
                header
                    + "-- tally:setup\nCREATE TRIGGER p_t AFTER INSERT ON p BEGIN SELECT 1; END;",
                "statement", 4, 1
            ),
            (header + "-- tally:setup\nINSERT INTO p VALUES (1);", "statement", 4, 1),
            (on + "CREATE TABLE p (a);", "statement", 4, 1),
            (on + "BEGIN;", "statement", 4, 1),
            (on + "COMMIT", "statement", 4, 1),
            (on + "ATTACH 'x' AS y;", "statement", 4, 1),
            (on + "PRAGMA user_version = 1;", "statement", 4, 1),
            (on + "SELECT 1;", "statement", 4, 1),
            (on + "(DELETE FROM p);", "statement", 4, 1),
            (on + "DELETE FROM p WHERE a = :foo;", "parameter", 4, 25),
            (on + "DELETE FROM p WHERE a = :Data;", "parameter", 4, 25),
            (on + "DELETE FROM p WHERE a = :decision;", "parameter", 4, 25),
            (on + "DELETE FROM p WHERE a = ?;", "parameter", 4, 25),
            (on + "DELETE FROM p WHERE a = ?1;", "parameter", 4, 25),
            (on + "DELETE FROM p WHERE a = @id;", "parameter", 4, 25),
            (on + "DELETE FROM p WHERE a = $id;", "parameter", 4, 25),
            (on + "DELETE FROM p WHERE a = #id;", "parameter", 4, 25),
            (on + "DELETE FROM p WHERE a = :;", "parameter", 4, 25),
            (on + "DELETE FROM p WHERE a = :id::x;", "parameter", 4, 28),
            (on + "DELETE FROM p WHERE a = :id(x);", "parameter", 4, 28),
            (header + "-- tally:setup\nCREATE TABLE p (a DEFAULT (:id));", "parameter", 4, 28),
            (on + "DELETE FROM p WHERE a = 'it''s;\n", "unterminated", 4, 25),
            (on + "DELETE FROM \"p;\n", "unterminated", 4, 13),
            (on + "DELETE FROM `p;\n", "unterminated", 4, 13),
            (on + "DELETE FROM [p;\n", "unterminated", 4, 13),
            (on + "/* DELETE FROM p;\n", "unterminated", 4, 1),
            (on + "/*/", "unterminated", 4, 1),
            (on + "DELETE FROM p\u{0};", "encoding", 4, 14),
            ("\u{FEFF}" + on + "DELETE FROM p;", "encoding", 1, 1),
        ]
    )
    func refused(text: String, code: String, line: Int, column: Int) {
        let error = failure(Array(text.utf8))
        #expect(error?.code.rawValue == "projection_" + code, "\(String(describing: error))")
        #expect(error?.line == line, "\(String(describing: error))")
        #expect(error?.column == column, "\(String(describing: error))")
    }

    @Test("Bytes that are not UTF-8 are refused, with their place")
    func encoding() {
        let error = failure(Array(Self.on.utf8) + Array("DELETE ".utf8) + [0xFF, 0x20])
        #expect(error?.code == .encoding)
        #expect(error?.line == 4)
        #expect(error?.column == 8)
    }

    @Test("A file's bytes and statements are limited")
    func limits() throws {
        let most = ProjectionFile.maximumStatementCount
        let statements = String(repeating: "DELETE FROM p;\n", count: most)
        #expect(try parse(Self.on + statements).on[0].statements.count == most)
        #expect(failure(Array((Self.on + statements + "DELETE FROM p;").utf8))?.code == .tooLarge)
        let space = [UInt8](repeating: 0x20, count: ProjectionFile.maximumByteCount)
        #expect(failure(space)?.code == .header)
        #expect(failure(space + [0x20])?.code == .tooLarge)
    }

    @Test("A message says what is wrong and what to write instead")
    func messages() {
        let unknown = failure(Array((Self.on + "DELETE FROM p WHERE a = :foo;").utf8))
        #expect(
            unknown?.description
                == "line 4, column 25: unknown parameter ':foo'; expected one of :position :source "
                + ":id :type :stream :revision :category :origin :subject :time :recorded_at :data"
        )
        let question = failure(Array((Self.on + "DELETE FROM p WHERE a = ?;").utf8))
        #expect(question?.message.contains("write one as :name, such as :position") == true)
    }

    @Test("No input traps: every prefix, and random damage")
    func damage() {
        let text = Array(
            (Self.header + "-- tally:setup\nCREATE TABLE p (a, \"b\", [c]);\n"
                + "-- tally:on a, b.*\nINSERT INTO p /* x */ VALUES (:id, 'y', :data); -- z\n").utf8
        )
        for count in 0...text.count { _ = failure(Array(text.prefix(count))) }
        let seed = UInt64.random(in: 0 ... .max)
        print("projection file damage: seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let interesting = Array("'\"`[]:;-/*?@$#\n\r \u{0}tally,.".utf8) + [0xFF, 0xC3]
        for _ in 0..<3000 {
            var damaged = text
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: 0..<damaged.count, using: &random)
                let byte = interesting.randomElement(using: &random) ?? 0
                if random.next() % 2 == 0 {
                    damaged[index] = byte
                } else {
                    damaged.insert(byte, at: index)
                }
            }
            _ = failure(damaged)
        }
    }
}

@Suite("Type patterns")
struct EventPatternTests {
    private func matches(_ pattern: String, _ type: String) -> Bool {
        Array(type.utf8).withUnsafeBytes { EventPattern(pattern)?.matches($0) ?? false }
    }

    @Test("A pattern matches a type, a prefix up to a dot, or everything")
    func matching() {
        #expect(matches("*", "anything"))
        #expect(matches("a.b", "a.b"))
        #expect(!matches("a.b", "a.b.c"))
        #expect(!matches("a.b", "a.B"))
        #expect(matches("a.*", "a.b"))
        #expect(matches("a.*", "a.b.c"))
        #expect(!matches("a.*", "a"))
        #expect(!matches("a.*", "ab.c"))
        #expect(!matches("é", "e\u{301}"), "types are compared by bytes")
        for text in ["*", "a.*", "a.b"] { #expect(EventPattern(text)?.text == text) }
        for text in ["", " ", "a b", "a*", "*a", "a.*.b", ".*", "a,b", "a\u{7F}"] {
            #expect(EventPattern(text) == nil, "\(text)")
        }
    }
}
