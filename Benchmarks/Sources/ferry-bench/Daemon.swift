import Foundation

/// A ferryd of the release build, with simulated devices.
final class Daemon {
    let process: ChildProcess
    let client: HTTPClient
    /// Seconds from its start to its readiness.
    let startSeconds: Double

    init(_ bench: Bench, _ simulations: [String], state: String? = nil, sysfsRoot: String? = nil)
        throws
    {
        var arguments = [
            "--state-directory", try state ?? bench.scratch("state"),
            "--listen", "tcp:127.0.0.1:0", "--allow-anonymous-loopback",
        ]
        for simulation in simulations { arguments += ["--simulate", simulation] }
        if let sysfsRoot { arguments += ["--sysfs-root", sysfsRoot] }
        let start = now()
        process = try ChildProcess(bench.ferryd, arguments, log: bench.directory + "/ferryd.log")
        guard let line = process.readLine(), line.hasPrefix("listening tcp:"),
            let port = line.split(separator: ":").last.flatMap({ Int($0) })
        else {
            let log = try? String(contentsOfFile: bench.directory + "/ferryd.log", encoding: .utf8)
            throw BenchFailure("ferryd does not start: \(log ?? "")")
        }
        client = try HTTPClient(port: port)
        startSeconds = now() - start
    }

    deinit { process.stop() }

    func begin(_ body: String) throws -> Job { try client.get(Job.self, "/v1/jobs", "POST", body) }

    /// Waits for the end of a job, which must be a good one.
    func end(of id: String) throws -> Job {
        var job = try client.get(Job.self, "/v1/jobs/\(id)")
        while !job.isEnded {
            job = try client.get(
                Job.self,
                "/v1/jobs/\(id)?after_generation=\(job.generation)&wait=30"
            )
        }
        guard job.state == "succeeded" else {
            throw BenchFailure("job \(id) ended \(job.state): \(job.error?.code ?? "")")
        }
        return job
    }

    func run(_ body: String) throws -> Job { try end(of: begin(body).id) }

    func migrate(_ pairs: [(Int, Int)]) throws -> Job { try run(Self.migration(pairs)) }

    static func migration(_ pairs: [(Int, Int)], _ more: String = "") -> String {
        let devices = pairs.map { #"{"source":"sim-\#($0)","target":"sim-\#($1)"}"# }
        return #"{"kind":"migrate","devices":[\#(devices.joined(separator: ","))]\#(more)}"#
    }

    func openSession(_ number: Int) throws {
        _ = try client.get(Named.self, "/v1/sessions", "POST", #"{"device":"sim-\#(number)"}"#)
    }

    /// Ends a device's session with all its content.
    func closeSession(_ number: Int) throws {
        let target = "/v1/devices/sim-\(number)"
        guard let session = try client.get(Holder.self, target).session else {
            throw BenchFailure("sim-\(number) has no session")
        }
        let (status, _) = try client.ask("DELETE", "/v1/sessions/\(session)?discard_content=true")
        guard (200..<300).contains(status) else {
            throw BenchFailure("closing a session: \(status)")
        }
    }

    /// Every device of the host, page by page.
    func devices() throws -> [Named] {
        var page = try client.get(Page<Named>.self, "/v1/devices?limit=1000")
        var all = page.items
        while let cursor = page.nextCursor {
            page = try client.get(Page<Named>.self, "/v1/devices?limit=1000&cursor=\(cursor)")
            all += page.items
        }
        return all
    }
}

/// How much is measured.
struct Effort {
    let pairs: Int
    /// Of one half of a pair of requests.
    let milliseconds: Int
    /// Pairs of whole transfers, and how large they are.
    let transferPairs: Int
    let stateBytes: Int

    static let full = Effort(pairs: 9, milliseconds: 700, transferPairs: 5, stateBytes: 2 << 30)
    static let quick = Effort(pairs: 5, milliseconds: 300, transferPairs: 5, stateBytes: 256 << 20)
}

/// Where the programs are and what they may use.
final class Bench {
    let ferryd: String
    let directory: String
    let effort: Effort
    private let tools: String
    private var scratchCount = 0

    init(ferryd: String, directory: String, effort: Effort) throws {
        self.ferryd = ferryd
        self.effort = effort
        self.directory = directory + "/ferry-bench-\(ProcessInfo.processInfo.processIdentifier)"
        // The other programs of this package lie beside this one.
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        tools = URL(fileURLWithPath: own).deletingLastPathComponent().path
        try FileManager.default.createDirectory(
            atPath: self.directory,
            withIntermediateDirectories: true
        )
    }

    func clean() { try? FileManager.default.removeItem(atPath: directory) }

    /// A path nothing is at yet.
    func scratch(_ name: String) throws -> String {
        scratchCount += 1
        return "\(directory)/\(name)-\(scratchCount)"
    }

    func tool(_ name: String) -> String { tools + "/" + name }

    /// Runs a program of the package to its end and gives its first line.
    func output(of name: String, _ arguments: [String]) throws -> String {
        let child = try ChildProcess(tool(name), arguments)
        let line = child.readLine()
        try child.wait()
        return line ?? ""
    }
}
