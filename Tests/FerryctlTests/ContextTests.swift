import APIClient
import Glibc
import Testing

@testable import ferryctl

@Suite("Contexts are the user's own, and which server is meant is never in doubt")
struct ContextTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func file(_ name: String = "contexts.json") -> ContextFile {
        ContextFile(path: "\(directory.path)/\(name)")
    }

    private func failure(_ work: () throws(ContextFile.Failure) -> Void) -> String? {
        do throws(ContextFile.Failure) { try work() } catch { return error.text }
        return nil
    }

    private var two: Contexts {
        var contexts = Contexts()
        contexts.set(.init(name: "lab", server: "tcp:127.0.0.1:8080"))
        contexts.set(.init(name: "here", server: "unix:/run/x"))
        return contexts
    }

    @Test("what is written is read again, and only the user may open it")
    func roundTrip() throws {
        try file("a/b/contexts.json").write(two)
        #expect(try file("a/b/contexts.json").read() == two)
        #expect(directory.mode(of: "a/b/contexts.json") == 0o600)
        #expect(directory.mode(of: "a/b") == 0o700)
        try file("a/b/contexts.json").write(Contexts())
        #expect(try file("a/b/contexts.json").read() == Contexts())
        #expect(TemporaryDirectory.names(in: "\(directory.path)/a/b") == ["contexts.json"])
    }

    @Test("the first context is the current one, and one that is removed is current no more")
    func current() {
        var contexts = two
        #expect(contexts.current == "lab")
        #expect(contexts.contexts.map(\.name) == ["here", "lab"])
        contexts.set(.init(name: "lab", server: "unix:/other"))
        #expect(contexts.contexts.count == 2)
        #expect(contexts["lab"]?.server == "unix:/other")
        let removals = [contexts.remove("lab"), contexts.remove("lab")]
        #expect(removals == [true, false])
        #expect(contexts.current == nil)
    }

    @Test("no file is no context")
    func absent() throws {
        #expect(try file().read() == Contexts())
    }

    @Test("a file that others may write is refused", arguments: [0o620, 0o602, 0o666] as [mode_t])
    func writableByOthers(_ mode: mode_t) throws {
        try file().write(two)
        unsafe chmod(file().path, mode)
        let text = failure { () throws(ContextFile.Failure) in _ = try file().read() }
        #expect(text?.contains("may be written by others") == true)
    }

    @Test("a file of somebody else's is refused", .enabled(if: geteuid() == 0))
    func foreign() throws {
        // To root a file of any other user is somebody else's.
        try file().write(two)
        unsafe chown(file().path, 4711, 4711)
        let text = failure { () throws(ContextFile.Failure) in _ = try file().read() }
        #expect(text?.contains("belongs to somebody else (uid 4711)") == true)
    }

    @Test("what is no regular file is refused at once: a directory, a pipe nobody writes to")
    func noFile() throws {
        unsafe mkfifo("\(directory.path)/fifo", 0o600)
        for name in ["", "fifo"] {
            let text = failure { () throws(ContextFile.Failure) in _ = try file(name).read() }
            #expect(text?.contains("is no regular file") == true, "\(name)")
        }
    }

    @Test(
        "a file that makes no sense is refused",
        arguments: [
            "", "{", "[]", #"{"contexts":[{"name":"a"}]}"#, #"{"contexts":[],"password":"x"}"#,
            #"{"contexts":[],"contexts":[]}"#,
        ]
    )
    func nonsense(_ text: String) {
        directory.write(text, to: "contexts.json")
        let told = failure { () throws(ContextFile.Failure) in _ = try file().read() }
        #expect(told?.contains("makes no sense") == true, "\(told ?? "-")")
    }

    @Test("a file without end is not read to its end")
    func long() {
        directory.write(
            String(repeating: " ", count: ContextFile.byteLimit + 1),
            to: "contexts.json"
        )
        let told = failure { () throws(ContextFile.Failure) in _ = try file().read() }
        #expect(told?.contains("is too long") == true)
    }

    @Test("what cannot be written leaves the file as it was")
    func unwritable() throws {
        try file().write(two)
        let below = ContextFile(path: "\(file().path)/contexts.json")
        let told = failure { () throws(ContextFile.Failure) in try below.write(two) }
        #expect(told?.contains("cannot be written: ENOTDIR") == true, "\(told ?? "-")")
        #expect(try file().read() == two)
    }

    @Test("--server counts before --context, that before the environment, that before the file")
    func order() throws {
        func choice(
            _ server: String?,
            _ context: String?,
            _ variables: [String: String]
        ) throws(ContextFile.Failure) -> ServerChoice {
            try ServerChoice(
                server: server.flatMap { ServerAddress($0) },
                context: context,
                environment: { variables[$0] },
                contexts: { two }
            )
        }
        let all = ["FERRY_SERVER": "unix:/env", "FERRY_CONTEXT": "lab"]
        #expect(try choice("unix:/flag", "here", all).server.description == "unix:/flag")
        #expect(try choice(nil, "here", all).server.description == "unix:/run/x")
        #expect(try choice(nil, nil, all).server.description == "unix:/env")
        #expect(
            try choice(nil, nil, ["FERRY_SERVER": "", "FERRY_CONTEXT": "here"]).context == "here"
        )
        #expect(try choice(nil, nil, [:]).context == "lab")
        for (context, variables) in [("x", [:]), (nil, ["FERRY_CONTEXT": "x"])]
            as [(String?, [String: String])]
        {
            let told = failure { () throws(ContextFile.Failure) in
                _ = try choice(nil, context, variables)
            }
            #expect(told?.contains("There is no context 'x'") == true)
        }
        let told = failure { () throws(ContextFile.Failure) in
            _ = try choice(nil, nil, ["FERRY_SERVER": "http://x"])
        }
        #expect(told?.contains("FERRY_SERVER is no address") == true)
    }

    @Test("a broken file stops only who needs it")
    func unneeded() throws {
        let choice = try ServerChoice(
            server: ServerAddress("unix:/flag"),
            context: nil,
            environment: { _ in nil },
            contexts: { () throws(ContextFile.Failure) in
                throw ContextFile.Failure(text: "broken")
            }
        )
        #expect(choice.reason == "--server")
    }

    @Test("names are plain", arguments: ["", "a b", "a/b", "ä", String(repeating: "a", count: 65)])
    func names(_ name: String) {
        #expect(!Contexts.isName(name))
        #expect(Contexts.isName("lab-1.example_2"))
    }
}
