import Foundation

/// Hosts with many functions, as a made-up sysfs tree shows them.
extension Bench {
    /// From the start of the process to the whole list, and then what a list of it costs.
    func inventory() throws -> [Figure] {
        Self.hosts.flatMap { host in
            do {
                return try inventory(host)
            } catch {
                return [.failed("start-up-\(host.count)", "\(error)")]
            }
        }
    }

    private struct Host {
        let count: Int
        /// Milliseconds.
        let startBar: Double
        let listBar: Double
    }

    /// A device may take a tenth of a millisecond at the start; a list reads memory.
    private static let hosts = [
        Host(count: 1024, startBar: 100, listBar: 10),
        Host(count: 10_000, startBar: 1000, listBar: 50),
    ]

    private struct Times {
        var start = Sample()
        var ready = Sample()
        var page = Sample()
        var filter = Sample()
        var processor = Sample()
    }

    private func inventory(_ host: Host) throws -> [Figure] {
        let root = try scratch("sysfs")
        defer { try? FileManager.default.removeItem(atPath: root) }
        try SysfsTree(root).addVirtualFunctions(host.count)
        let state = try scratch("state")
        var times = Times()
        // The first start makes the database, which a restart has.
        for number in 0...effort.pairs {
            let daemon = try Daemon(self, [], state: state, sysfsRoot: root)
            let ready = daemon.startSeconds * 1000
            var found = 0
            let list = try measuring { found = try daemon.devices().count } * 1000
            guard found == host.count else { throw BenchFailure("\(found) devices were found") }
            let processor = try daemon.process.processorSeconds() * 1000
            let page = try milliseconds(of: "/v1/devices?limit=100", items: 100, daemon)
            let last = host.count - 1
            let filter = "/v1/devices?filter=iommu_group%3D\(last)"
            let one = try milliseconds(of: filter, items: 1, daemon)
            daemon.process.stop()
            guard number > 0 else { continue }
            times.ready.values.append(ready)
            times.start.values.append(ready + list)
            times.processor.values.append(processor)
            times.page.values.append(page)
            times.filter.values.append(one)
        }
        return figures(host, times)
    }

    private func milliseconds(of target: String, items: Int, _ daemon: Daemon) throws -> Double {
        var page: Page<Named>?
        let seconds = try measuring { page = try daemon.client.get(Page<Named>.self, target) }
        guard page?.items.count == items else { throw BenchFailure("\(target): another list") }
        return seconds * 1000
    }

    private func figures(_ host: Host, _ times: Times) -> [Figure] {
        [
            Figure(
                name: "start-up-\(host.count)",
                value: times.start.median,
                unit: "ms",
                bar: .atMost(host.startBar),
                note: "from exec to all of them listed: \(times.start.text); ready after "
                    + "\(times.ready.text); processor time \(short(times.processor.median)) ms"
            ),
            Figure(
                name: "page-of-\(host.count)",
                value: times.page.median,
                unit: "ms",
                bar: .atMost(host.listBar),
                note: "a list of the first 100: \(times.page.text)"
            ),
            Figure(
                name: "one-of-\(host.count)",
                value: times.filter.median,
                unit: "ms",
                bar: .atMost(host.listBar),
                note: "a list of the one that passes a filter: \(times.filter.text)"
            ),
        ]
    }
}
