import Glibc
import HTTPServer
import ManagementAPI
import Testing

@Suite("A server listens where it is told, and only there") struct ListenTests {
    @Test("an address is read as an operator writes it")
    func addresses() throws {
        #expect(try ListenAddress("unix:/run/ferry.sock") == .unix(path: "/run/ferry.sock"))
        #expect(try ListenAddress("tcp:localhost:0") == .tcp(host: .v4(0x7F00_0001), port: 0))
        #expect(try ListenAddress("tcp:127.1.2.3:80").description == "tcp:127.1.2.3:80")
        #expect(try ListenAddress("tcp:[::1]:65535").description == "tcp:[::1]:65535")
        for text in [
            "", "unix:", "unix:\(String(repeating: "x", count: 108))", "tcp:", "tcp:127.0.0.1",
            "tcp:127.0.0.1:", "tcp:127.0.0.1:65536", "tcp:127.0.0.1:-1", "tcp:0.0.0.0:80",
            "tcp:10.0.0.1:80", "tcp:example.org:80", "tcp:[::]:80", "tcp:::1:80", "/run/x", ":80",
            "http://localhost", "tcp:127.0.0.1x:80",
        ] {
            #expect(throws: ListenFailure.self, "\(text)") { try ListenAddress(text) }
        }
    }

    @Test("port 0 picks one and tells it, on IPv4 and IPv6")
    func ports() throws {
        let four = try ServerUnderTest("tcp:127.0.0.1:0")
        #expect(four.address.hasPrefix("tcp:127.0.0.1:"))
        #expect(!four.address.hasSuffix(":0"))
        #expect(try four.connect().ask()?.status == 200)
        let six = try ServerUnderTest("tcp:[::1]:0")
        #expect(six.address.hasPrefix("tcp:[::1]:"))
        #expect(try six.connect().ask()?.status == 200)
        let failure = #expect(throws: ListenFailure.self) { try ServerUnderTest(four.address) }
        #expect(failure?.description.contains("in use") == true)
    }

    @Test("TCP without leave for anonymous callers is refused, and the failure says how to get it")
    func anonymous() throws {
        let failure = #expect(throws: ListenFailure.self) {
            try ServerUnderTest { $0.allowsAnonymousLoopback = false }
        }
        #expect(failure?.description.contains("--allow-anonymous-loopback") == true)
    }

    @Test("a UNIX socket tells who calls, is for owner and group only, and goes with the server")
    func unix() throws {
        let directory = try ScratchDirectory()
        let path = "\(directory.path)/s"
        let server = try ServerUnderTest("unix:\(path)") { $0.allowsAnonymousLoopback = false }
        #expect(server.address == "unix:\(path)")
        var status = stat()
        #expect(unsafe lstat(path, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o660)
        #expect(try server.connect().ask()?.status == 200)
        let client = try server.connect()
        // Hosts and origins are for browsers, and those do not reach here.
        try client.send("GET /x HTTP/1.1\r\nHost: any.example\r\nOrigin: null\r\n\r\n")
        #expect(try client.readAnswer()?.status == 200)
        server.server.stop()
        #expect(unsafe lstat(path, &status) != 0)
    }

    @Test("the caller of a UNIX socket is known by the kernel's word, that of TCP is anybody")
    func callers() throws {
        let directory = try ScratchDirectory()
        for listener in ["unix:\(directory.path)/s", "tcp:127.0.0.1:0"] {
            var options = HTTPServer.Options()
            options.allowsAnonymousLoopback = true
            let server = try HTTPServer(
                listener: ListenAddress(listener),
                options: options,
                handle: { request, reply in
                    let text = Array("\(request.caller)".utf8)
                    reply(APIResponse(status: 200, headers: [], body: text))
                },
                refuse: { _, _ in APIResponse(status: 400, headers: [], body: []) }
            )
            let caller: Caller =
                listener.hasPrefix("unix")
                ? .local(uid: getuid(), pid: UInt32(getpid())) : .anonymousLoopback
            #expect(try RawClient(server.boundAddress).ask()?.body == "\(caller)")
            server.stop()
        }
    }

    @Test("a socket nobody serves is replaced; one that is served, or any other file, is not")
    func stale() throws {
        let directory = try ScratchDirectory()
        let path = "\(directory.path)/s"
        // What a killed server leaves behind: bound, closed, not removed.
        let dead = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &name.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let bound = unsafe withUnsafePointer(to: &name) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(dead, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(bound == 0)
        close(dead)
        let server = try ServerUnderTest("unix:\(path)")
        #expect(try server.connect().ask()?.status == 200)
        let failure = #expect(throws: ListenFailure.self) { try ServerUnderTest("unix:\(path)") }
        #expect(failure?.description.contains("another process serves") == true)
        #expect(try server.connect().ask()?.status == 200)
        let file = "\(directory.path)/t"
        close(unsafe creat(file, 0o600))
        #expect(throws: ListenFailure.self) { try ServerUnderTest("unix:\(file)") }
        var status = stat()
        #expect(unsafe lstat(file, &status) == 0, "the file is still there")
    }

    @Test("a socket that somebody else put in the place of ours is left alone")
    func replaced() throws {
        let directory = try ScratchDirectory()
        let path = "\(directory.path)/s"
        let first = try ServerUnderTest("unix:\(path)")
        unsafe unlink(path)
        let second = try ServerUnderTest("unix:\(path)")
        first.server.stop()
        #expect(try second.connect().ask()?.status == 200)
    }

    @Test("a directory that is not there is told by its path and error")
    func missing() {
        let failure = #expect(throws: ListenFailure.self) { try ServerUnderTest("unix:/nowhere/s") }
        #expect(failure?.description == "unix:/nowhere/s: bind: No such file or directory")
    }
}
