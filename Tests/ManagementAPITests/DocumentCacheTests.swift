import APISchema
import JSONCoding
import MigrationCore
import Synchronization
import Testing

@testable import ManagementAPI

@Suite("No reader is shown a state that is over")
struct DocumentCacheTests {
    private struct Thing: Hashable, Sendable {
        let name: String
        var number: Int
    }

    /// A cache whose documents are `[name, number]`, and how often it rendered one.
    private final class Rendering: Sendable {
        /// How many documents were rendered.
        private let counted = Mutex(0)

        var count: Int { counted.withLock { $0 } }

        func cache(countLimit: Int, byteLimit: Int = 1 << 20) -> DocumentCache<Thing> {
            DocumentCache(countLimit: countLimit, byteLimit: byteLimit, id: \.name) { thing in
                self.counted.withLock { $0 += 1 }
                return [thing.name, "\(thing.number)"]
            }
        }
    }

    private func text(_ thing: Thing) -> String { #"["\#(thing.name)","\#(thing.number)"]"# }

    private func body(_ response: APIResponse) -> String {
        String(decoding: response.body, as: UTF8.self)
    }

    @Test("a document is that of the value asked for, through any order of changes")
    func everyOrder() throws {
        let cache = Rendering().cache(countLimit: 3)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let things = (0..<4).map { name in
                Thing(name: "\(name)", number: .random(in: 0..<3, using: &random))
            }
            for thing in things {
                #expect(try body(cache.response(for: thing)) == text(thing))
            }
            let texts = try cache.documents(for: things[...]).map {
                String(decoding: $0.text, as: UTF8.self)
            }
            #expect(texts == things.map(text))
        }
    }

    @Test("an equal value is not rendered again, a different one is")
    func renderedOnce() throws {
        let rendering = Rendering()
        let cache = rendering.cache(countLimit: 10)
        var thing = Thing(name: "a", number: 1)
        for _ in 0..<5 { _ = try cache.response(for: thing) }
        #expect(rendering.count == 1)
        _ = try cache.documents(for: [thing]).map(\.text)
        #expect(rendering.count == 1)
        thing.number = 2
        _ = try cache.response(for: thing)
        #expect(rendering.count == 2)
    }

    @Test("it holds no more than its limits")
    func bounded() throws {
        let rendering = Rendering()
        let cache = rendering.cache(countLimit: 4)
        let things = (0..<5).map { Thing(name: "\($0)", number: 0) }
        for thing in things { _ = try cache.response(for: thing) }
        // The fifth took the place of all four.
        _ = try cache.response(for: things[4])
        #expect(rendering.count == 5)
        _ = try cache.response(for: things[0])
        #expect(rendering.count == 6)

        let small = Rendering()
        let bytes = small.cache(countLimit: 100, byteLimit: text(things[0]).utf8.count)
        for thing in [things[0], things[1], things[0], things[0]] {
            _ = try bytes.response(for: thing)
        }
        #expect(small.count == 3)
        let long = Thing(name: String(repeating: "x", count: 100), number: 1)
        for _ in 0..<2 { #expect(try body(bytes.response(for: long)) == text(long)) }
        #expect(small.count == 5)
    }

    @Test("readers of different states of one thing get their own")
    func concurrentReaders() async throws {
        let cache = Rendering().cache(countLimit: 10)
        try await withThrowingTaskGroup { group in
            for number in 0..<8 {
                group.addTask {
                    let thing = Thing(name: "a", number: number)
                    for _ in 0..<500 {
                        let shown = try cache.response(for: thing)
                        #expect(body(shown) == text(thing))
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("a target is routed as if it were the first, whichever came before")
    func targets() throws {
        let memo = TargetMemo(countLimit: 2)
        func request(_ method: String, _ path: String, _ query: String? = nil) -> APIRequest {
            APIRequest(
                method: method,
                rawPath: path,
                rawQuery: query,
                headers: [],
                body: [],
                caller: .anonymousLoopback
            )
        }
        for _ in 0..<3 {
            #expect(try memo.target(of: request("GET", "/v1/jobs/a")).endpoint == .getJob)
            #expect(try memo.target(of: request("GET", "/v1/jobs/b")).pathVariable == "b")
            #expect(try memo.target(of: request("GET", "/v1/jobs/a")).pathVariable == "a")
            #expect(
                try memo.target(of: request("POST", "/v1/jobs/a/cancel")).endpoint == .cancelJob
            )
            let page = try memo.target(of: request("GET", "/v1/jobs", "limit=3"))
            #expect(page.query.text("limit") == "3")
            #expect(try memo.target(of: request("GET", "/v1/jobs")).query.text("limit") == nil)
            #expect(throws: Problem.self) { try memo.target(of: request("PUT", "/v1/jobs/a")) }
            #expect(throws: Problem.self) { try memo.target(of: request("GET", "/v1/nothing")) }
        }
    }
}

@Suite("What was shown before does not stay when the engine moves on")
struct FreshnessTests {
    let engine: EngineUnderTest

    init() throws {
        engine = try EngineUnderTest("mlx5:count=3,state=1MiB,seed=7", "mlx5:state=1MiB,dirty=1GiB")
    }

    private func device(_ id: String) async throws -> DeviceDTO {
        try await engine.ask("GET", "/v1/devices/\(id)", for: DeviceDTO.self)
    }

    private func list() async throws -> [DeviceDTO] {
        try await engine.ask("GET", "/v1/devices", for: PageDTO<DeviceDTO>.self).items
    }

    private func migrate(_ source: String, _ target: String) async throws -> JobDTO {
        let body = #"{"kind":"migrate","devices":[{"source":"\#(source)","target":"\#(target)"}]}"#
        var job = try await engine.ask(
            "POST",
            "/v1/jobs",
            body: body,
            for: JobDTO.self,
            status: 202
        )
        while !job.isFinished {
            job = try await engine.ask(
                "GET",
                "/v1/jobs/\(job.id)",
                "after_generation=\(job.generation)&wait=30",
                for: JobDTO.self
            )
        }
        return job
    }

    @Test("devices, sessions and lists follow every step of a migrate and of a session")
    func steps() async throws {
        let before = try await device("sim-0")
        #expect(before.session != nil)
        #expect(try await device("sim-0") == before)
        #expect(try await migrate("sim-0", "sim-1").state == "succeeded")
        let moved = try await device("sim-0")
        #expect(moved.session == nil)
        #expect(moved.simulated?.contentDigest != before.simulated?.contentDigest)
        let target = try await device("sim-1")
        #expect(target.content == "loaded")
        #expect(target.simulated?.contentDigest == before.simulated?.contentDigest)
        #expect(try await list().prefix(2) == [moved, target])

        let session = try await engine.ask(
            "POST",
            "/v1/sessions",
            body: #"{"device":"sim-0"}"#,
            for: SessionDTO.self,
            status: 201
        )
        #expect(try await device("sim-0").session == session.id)
        #expect(try await list().first?.session == session.id)
        let path = "/v1/sessions/\(session.id)"
        #expect(try await engine.ask("GET", path, for: SessionDTO.self) == session)
        let closed = try await engine.ask("DELETE", path, for: SessionDTO.self)
        #expect(closed.status == "closed")
        #expect(try await engine.ask("GET", path, for: SessionDTO.self) == closed)
        #expect(try await device("sim-0").session == nil)
        #expect(try await list().first?.session == nil)
    }

    @Test("a device that changes by itself is shown as it is")
    func dirty() async throws {
        let first = try await device("sim-3")
        var later = first
        // Ends: the device writes a page every few microseconds.
        while later == first { later = try await device("sim-3") }
        var listed = later
        while listed == later { listed = try #require(try await list().last) }
        #expect(listed.simulated?.contentDigest != first.simulated?.contentDigest)
    }
}
