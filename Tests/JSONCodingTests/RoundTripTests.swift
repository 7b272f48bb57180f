import JSONCoding
import Testing

@Suite("Values go to JSON and come back") struct RoundTripTests {
    @Test("a structure is written compactly, in order, with snake case names and no nil fields")
    func structure() throws {
        #expect(try encoded(Device.sample) == Device.sampleText)
        #expect(try decoded(Device.self, Device.sampleText) == .sample)
    }

    @Test("structures nest, and enumerations with values keep them")
    func nesting() throws {
        #expect(try encoded(Job.sample) == Job.sampleText)
        #expect(try decoded(Job.self, Job.sampleText) == .sample)
        for action in [Job.Action.reset, .saveAll(imageID: "x", after: -3), .pair("a", 1)] {
            let text = try encoded(action)
            #expect(try decoded(Job.Action.self, text) == action, "\(text)")
        }
        #expect(try encoded(Job.Action.pair("a", 1)) == #"{"pair":{"_0":"a","_1":1}}"#)
        #expect(try encoded(Job.Action.reset) == #"{"reset":{}}"#)
    }

    @Test("every kind of scalar survives at its bounds")
    func scalars() throws {
        func survives<T: Codable & Equatable>(_ values: T...) throws {
            for value in values {
                let text = try encoded([value])
                #expect(try decoded([T].self, text) == [value], "\(text)")
                #expect(try decoded(T.self, try encoded(value)) == value)
            }
        }
        try survives(Int8.min, .max)
        try survives(Int16.min, .max)
        try survives(Int32.min, .max)
        try survives(Int64.min, .max, 0, -1)
        try survives(UInt8.max)
        try survives(UInt16.max)
        try survives(UInt32.max)
        try survives(UInt64(Int64.max), 0)
        try survives(true, false)
        try survives("", "ü€🚢", "\u{1}\u{1f}\"\\/\n\t", "\u{2028}\u{FFFF}\u{10FFFF}")
        try survives(
            0.1,
            -0.0,
            1,
            100,
            1.0 / 3,
            .pi,
            1e300,
            .leastNonzeroMagnitude,
            Double.greatestFiniteMagnitude,
            1e16
        )
        try survives(Float(0.1), .greatestFiniteMagnitude, .leastNonzeroMagnitude)
    }

    @Test("numbers look as a person would write them")
    func numbers() throws {
        #expect(try encoded([0.1, 100, 1.5]) == "[0.1,100.0,1.5]")
        #expect(try encoded(12) == "12")
    }

    @Test("an empty structure is an empty object, an empty array an empty array")
    func empty() throws {
        struct Empty: Codable, Equatable {}
        #expect(try encoded(Empty()) == "{}")
        #expect(try encoded([Int]()) == "[]")
        #expect(try decoded(Empty.self, "{}") == Empty())
        #expect(try encoded([Int?.none, 1]) == "[null,1]")
        #expect(try decoded([Int?].self, "[null,1]") == [nil, 1])
    }

    @Test("null reads as an absent optional and never as anything else")
    func null() throws {
        struct Two: Codable, Equatable {
            var a: Int?
            var b: [String]?
        }
        #expect(try decoded(Two.self, #"{"a":null,"b":null}"#) == Two())
        #expect(try decoded(Two.self, "{}") == Two())
        #expect(problem(Device.self, #"{"id":null}"#)?.kind == .wrongType)
        #expect(problem([Int].self, "null")?.kind == .wrongType)
    }

    @Test("dictionaries are written with their keys sorted, so that equal values are equal texts")
    func dictionaries() throws {
        let values = Dictionary(uniqueKeysWithValues: (10..<60).map { ("k\($0)", [$0]) })
        let text = try encoded(values)
        let members = (10..<60).map { "\"k\($0)\":[\($0)]" }.joined(separator: ",")
        #expect(text == "{\(members)}")
        #expect(try decoded([String: [Int]].self, text) == values)
    }

    @Test("a text of a mebibyte survives, alone and among fields")
    func longString() throws {
        let long = String(repeating: "ab€\u{1}", count: 200_000)
        #expect(try decoded(String.self, try encoded(long)) == long)
        #expect(try decoded([String: String].self, try encoded(["x": long])) == ["x": long])
    }

    @Test("a thousand rounds neither lose nor free a value that is still used")
    func manyRounds() throws {
        for round in 0..<1000 {
            var job = Job.sample
            job.jobID = "job-\(round)"
            job.devices = (0..<5).map { index in
                var device = Device.sample
                device.labels["n\(index)"] = String(repeating: "x", count: round % 97)
                return device
            }
            let text = try JSONWriter.encode(job)
            #expect(try JSONReader.decode(Job.self, from: text, unknownFields: .refuse) == job)
        }
    }

    @Test("many threads read and write side by side")
    func threads() async throws {
        let results = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<100 {
                        let text = try JSONWriter.encode(Job.sample)
                        let job = try JSONReader.decode(
                            Job.self,
                            from: text,
                            unknownFields: .refuse
                        )
                        if job != .sample { return false }
                    }
                    return true
                }
            }
            return try await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        #expect(results == Array(repeating: true, count: 8))
    }
}
