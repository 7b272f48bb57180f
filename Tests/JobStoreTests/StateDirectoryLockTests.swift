import Glibc
import JobStore
import MigrationCore
import SystemIO
import Testing

@Suite("StateDirectoryLock")
struct StateDirectoryLockTests {
    // In a process of its own: where other tests start programs meanwhile, what they fork has the
    // lock's file too until it executes them.
    @Test("a second ferryd is refused with the first one's process until that one is gone")
    func exclusive() async throws {
        let fixture = try StoreFixture()
        let directory = fixture.directory
        await #expect(processExitsWith: .success) { [directory = directory as String] in
            var first: StateDirectoryLock? = try StateDirectoryLock(directory: directory)
            let problem = #expect(throws: Problem.self) {
                try StateDirectoryLock(directory: directory)
            }
            #expect(first != nil)
            #expect(problem?.code == .storeFailed)
            #expect(problem?.facts.operation == "flock")
            #expect(problem?.facts.errno == .again)
            #expect(problem?.detail.contains("process \(getpid()),") == true)
            #expect(problem?.detail.contains("--state-directory") == true)
            first = nil
            _ = try StateDirectoryLock(directory: directory)
        }
    }

    @Test("a process that was killed holds no lock")
    func killed() async throws {
        let fixture = try StoreFixture()
        let directory = fixture.directory
        await #expect(processExitsWith: .signal(SIGKILL)) { [directory = directory as String] in
            let lock = try StateDirectoryLock(directory: directory)
            withExtendedLifetime(lock) { _ = kill(getpid(), SIGKILL) }
        }
        _ = try StateDirectoryLock(directory: fixture.directory)
    }

    @Test("a lock file that is a symbolic link is refused")
    func link() throws {
        let fixture = try StoreFixture()
        unsafe symlink("/tmp/somewhere", "\(fixture.directory)/lock")
        let problem = #expect(throws: Problem.self) {
            try StateDirectoryLock(directory: fixture.directory)
        }
        #expect(problem?.code == .storeFailed)
        #expect(problem?.facts.operation == "open")
    }
}
