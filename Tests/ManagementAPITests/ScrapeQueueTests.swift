import Dispatch
import MigrationCore
import Synchronization
import Testing

@testable import ManagementAPI

@Suite("Scrapes are answered together, and never with what was read before they came")
struct ScrapeQueueTests {
    /// A queue whose reads wait for the test.
    private final class Bench: Sendable {
        let begun = DispatchSemaphore(value: 0)
        let go = DispatchSemaphore(value: 0)
        let answered = DispatchSemaphore(value: 0)
        /// Guards the number of reads and what the askers heard; a leaf.
        let state = Mutex((reads: 0, heard: [[UInt8]]()))

        func read() -> APIResponse {
            let number = state.withLock { state in
                state.reads += 1
                return state.reads
            }
            begun.signal()
            #expect(go.wait(timeout: .now() + 60) == .success)
            return APIResponse(status: 200, headers: [], body: [UInt8(number)])
        }

        func hear(_ response: APIResponse) {
            state.withLock { $0.heard.append(response.body) }
            answered.signal()
        }
    }

    @Test("those who come while one is read share the next, up to a limit of them")
    func sharing() throws {
        let bench = Bench()
        let queue = ScrapeQueue(waitingLimit: 2) { bench.read() }
        try queue.ask { bench.hear($0) }
        try #require(bench.begun.wait(timeout: .now() + 60) == .success)
        try queue.ask { bench.hear($0) }
        try queue.ask { bench.hear($0) }
        let problem = #expect(throws: Problem.self) { try queue.ask { bench.hear($0) } }
        #expect(problem?.code == .overloaded)
        for _ in 0..<2 { bench.go.signal() }
        for _ in 0..<3 { try #require(bench.answered.wait(timeout: .now() + 60) == .success) }
        #expect(bench.state.withLock { $0.heard } == [[1], [2], [2]])
    }
}
