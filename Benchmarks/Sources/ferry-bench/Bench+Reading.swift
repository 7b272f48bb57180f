import Foundation

/// The API's reads, against bare servers in C.
extension Bench {
    static let connections = 16

    func getJob() throws -> [Figure] {
        let daemon = try Daemon(self, ["mlx5:count=2,state=1MiB"])
        let job = try daemon.migrate([(0, 1)])
        return try compareBytes("get-job", daemon, "/v1/jobs/\(job.id)")
    }

    func getDevice() throws -> [Figure] {
        let daemon = try Daemon(self, ["mlx5:count=2,state=1MiB"])
        return try compareBytes("get-device", daemon, "/v1/devices/sim-0")
    }

    /// The time of a whole list while one device of 1,024 keeps changing, in pages of at most 1,000.
    func listDevices() throws -> [Figure] {
        let daemon = try Daemon(
            self,
            ["mlx5:count=1023,state=64KiB", "mlx5:count=1,state=64KiB,dirty=100MiB"]
        )
        let file = try scratch("list")
        let (texts, targets) = try pages(daemon)
        let items = texts.map { text in
            // Between the brackets of {"items":[…],"next_cursor":…}.
            text.dropFirst(10).prefix(
                upTo: text.range(of: #"],"next_cursor""#)?.lowerBound
                    ?? text.endIndex
            )
        }
        let list = #"{"items":["# + items.joined(separator: ",") + #"],"next_cursor":null}"#
        try list.write(toFile: file, atomically: false, encoding: .utf8)
        let (server, port) = try bareServer("dump", file)
        defer { server.stop() }
        let pairs = try Pairs(
            effort.pairs,
            ferry: { 1e9 / (try load(daemon.client.port, 1, targets)) },
            reference: { 1e9 / (try load(port, 1, ["/"])) },
            ratio: { $0 / $1 }
        )
        return [
            Figure(
                name: "list-1024",
                value: pairs.ratios.median,
                unit: "x",
                bar: .atMost(0.25),
                note: "time / jansson's: Ferry \(short(pairs.ferry.median / 1e6)) ms, dump "
                    + "\(short(pairs.reference.median / 1e6)) ms; ratios \(pairs.ratios.text)"
            )
        ]
    }

    private func pages(_ daemon: Daemon) throws -> (texts: [String], targets: [String]) {
        var texts: [String] = []
        var targets = ["/v1/devices?limit=1000"]
        var count = 0
        while texts.count < targets.count {
            let (_, data) = try daemon.client.ask("GET", targets[texts.count])
            let page = try JSONDecoder().decode(CursorPage.self, from: data)
            count += page.items.count
            texts.append(String(decoding: data, as: UTF8.self))
            if let cursor = page.next_cursor {
                targets.append("/v1/devices?limit=1000&cursor=\(cursor)")
            }
        }
        guard count == 1024 else { throw BenchFailure("\(count) devices are listed, not 1,024") }
        return (texts, targets)
    }

    private struct CursorPage: Decodable {
        let items: [Named]
        // The name in the document.
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let next_cursor: String?
    }

    private func compareBytes(
        _ name: String,
        _ daemon: Daemon,
        _ target: String
    ) throws -> [Figure] {
        let (status, body) = try daemon.client.ask("GET", target)
        guard status == 200 else { throw BenchFailure("GET \(target) is \(status)") }
        let file = try scratch("body")
        try body.write(to: URL(fileURLWithPath: file))
        let (server, port) = try bareServer("bytes", file)
        defer { server.stop() }
        let pairs = try Pairs(
            effort.pairs,
            ferry: { try load(daemon.client.port, Self.connections, [target]) },
            reference: { try load(port, Self.connections, ["/"]) },
            ratio: { $0 / $1 }
        )
        let ferryTime = try processorTime(daemon.process, daemon.client.port, target)
        let bareTime = try processorTime(server, port, "/")
        return [
            Figure(
                name: name,
                value: pairs.ratios.median,
                unit: "x",
                bar: .atLeast(0.8),
                note:
                    "of \(short(pairs.reference.median)) requests/s of bare C, \(body.count) bytes; "
                    + "server's processor time \(short(ferryTime)) us a request, bare C "
                    + "\(short(bareTime)); ratios \(pairs.ratios.text)"
            )
        ]
    }

    /// Microseconds of the server's processor time for one request.
    private func processorTime(
        _ process: ChildProcess,
        _ port: Int,
        _ target: String
    ) throws -> Double {
        let before = try process.processorSeconds()
        let rate = try load(port, Self.connections, [target])
        let seconds = Double(effort.milliseconds) / 1000
        return (try process.processorSeconds() - before) / (rate * seconds) * 1e6
    }

    private func bareServer(_ kind: String, _ file: String) throws -> (ChildProcess, Int) {
        let server = try ChildProcess(tool("bare-server"), [kind, file])
        guard let port = server.readLine().flatMap({ Int($0) }) else {
            throw BenchFailure("the bare server does not start")
        }
        return (server, port)
    }

    /// Rounds a second.
    func load(_ port: Int, _ connections: Int, _ targets: [String]) throws -> Double {
        let line = try output(
            of: "http-load",
            ["\(port)", "\(connections)", "\(effort.milliseconds)"] + targets
        )
        let numbers = line.split(separator: " ").compactMap { Double($0) }
        guard numbers.count == 4, numbers[0] > 0, numbers[3] == 0 else {
            throw BenchFailure("http-load says \(line)")
        }
        return numbers[0] / numbers[1] * 1e9
    }
}
