import APISchema
import JobEngine
import SystemIO
import Testing

@testable import ManagementAPI

@Suite("GET /metrics tells Prometheus what happens")
struct MetricsTests {
    @Test("every metric of docs/metrics.md is there with its type and labels, and no other is")
    func documentation() async throws {
        let bench = try EngineUnderTest("mlx5:count=2,state=1MiB")
        _ = try await bench.finishedJob(
            #"{"id":"m","kind":"migrate","devices":[{"source":"sim-0","target":"sim-1"}]}"#
        )
        let families = try await bench.metrics()
        let told = try Self.documented()
        #expect(Set(families.keys) == Set(told.keys))
        for (name, family) in families {
            let metric = try #require(told[name])
            #expect(family.type == metric.type, "\(name)")
            for sample in family.samples {
                let labels = Set(sample.labels.keys).subtracting(["le"])
                #expect(labels == Set(metric.labels), "\(name)")
            }
        }
    }

    @Test("a migrate is counted: its arcs, phases, bytes, downtimes, request and writes")
    func migrate() async throws {
        let bench = try EngineUnderTest("mlx5:count=2,state=1MiB")
        let job = try await bench.finishedJob(
            #"{"id":"m","kind":"migrate","devices":[{"source":"sim-0","target":"sim-1"}]}"#
        )
        #expect(job.state == "succeeded")
        let metrics = try await bench.metrics()
        let arcs = try #require(metrics["ferry_arc_duration_seconds"])
        for arc in job.devices.flatMap(\.arcs) {
            let labels = ["from": arc.from, "to": arc.to, "driver": "simulated mlx5_vfio_pci"]
            #expect((arcs.count(labels) ?? 0) >= 1, "\(labels)")
        }
        let arcCount = arcs.samples.filter { $0.name.hasSuffix("_count") }.reduce(0) {
            $0 + $1.value
        }
        #expect(Int(arcCount) == job.devices.flatMap(\.arcs).count)
        for time in job.phaseTimes {
            let labels = ["kind": "migrate", "phase": time.phase]
            #expect(metrics["ferry_phase_duration_seconds"]?.count(labels) == 1, "\(labels)")
        }
        for direction in ["read", "written"] {
            let moved = metrics["ferry_transferred_bytes_total"]?
                .value(["kind": "migrate", "direction": direction])
            #expect(moved == job.devices.first.map { Double($0.transferredBytes) })
        }
        #expect(metrics["ferry_jobs_total"]?.value(["kind": "migrate", "state": "succeeded"]) == 1)
        for which in ["expected", "actual"] {
            #expect(metrics["ferry_downtime_seconds"]?.count(["which": which]) == 1, "\(which)")
        }
        #expect(metrics["ferry_job_queue_duration_seconds"]?.count(["kind": "migrate"]) == 1)
        #expect(
            metrics["ferry_http_requests_total"]?.value(["endpoint": "createJob", "status": "202"])
                == 1
        )
        // The commit is fsynced, steps are not.
        for durability in ["process", "machine"] {
            let writes = metrics["ferry_store_write_duration_seconds"]
            #expect((writes?.count(["durability": durability]) ?? 0) >= 1, "\(durability)")
        }
        #expect(metrics["ferry_sessions"]?.value(["content": "loaded"]) == 1)
        #expect(metrics["ferry_job_device_transferred_bytes"]?.samples.isEmpty == true)
    }

    @Test("while a job runs its devices are there, and it is counted as running")
    func running() async throws {
        let bench = try EngineUnderTest("mlx5:count=2,state=1MiB")
        _ = try await bench.ask(
            "POST",
            "/v1/jobs",
            body: #"""
                {"id":"gate","kind":"migrate","devices":[{"source":"sim-0","target":"sim-1"}],
                "switchover":{"mode":"manual"}}
                """#
        )
        let waiting = try await bench.job("gate") { $0.phase == "awaiting_switchover" }
        let metrics = try await bench.metrics()
        #expect(metrics["ferry_jobs"]?.value(["state": "running"]) == 1)
        #expect(metrics["ferry_workers_busy"]?.value() == 1)
        for (device, side) in [("sim-0", "source"), ("sim-1", "target")] {
            let labels = ["job": "gate", "device": device, "side": side]
            let moved = try #require(
                metrics["ferry_job_device_transferred_bytes"]?.value(labels)
            )
            let shown = waiting.devices.first { $0.side == side }?.transferredBytes
            #expect(moved >= Double(shown ?? .max))
            #expect(metrics["ferry_job_device_remaining_bytes"]?.value(labels) != nil)
            #expect(metrics["ferry_job_device_rate_bytes_per_second"]?.value(labels) != nil)
        }
        _ = try await bench.ask("POST", "/v1/jobs/gate/cancel")
        _ = try await bench.job("gate") { $0.isFinished }
        let after = try await bench.metrics()
        #expect(after["ferry_jobs_total"]?.value(["kind": "migrate", "state": "cancelled"]) == 1)
        #expect(after["ferry_job_device_remaining_bytes"]?.samples.isEmpty == true)
        #expect(after["ferry_downtime_seconds"]?.samples.isEmpty == true)
    }

    @Test("a device in use and a path that is none are counted as refusals")
    func refusals() async throws {
        let bench = try EngineUnderTest("mlx5:count=2,state=1MiB")
        let body = #"""
            {"kind":"migrate","devices":[{"source":"sim-0","target":"sim-1"}],
            "switchover":{"mode":"manual"}}
            """#
        #expect(try await bench.ask("POST", "/v1/jobs", body: body).status == 202)
        #expect(try await bench.ask("POST", "/v1/jobs", body: body).status == 409)
        let foreign = TransportRefusal.foreignHost("evil")
        let refused = RefusedRequest(
            method: "GET",
            rawPath: "/",
            requestID: nil,
            caller: .anonymousLoopback
        )
        #expect(bench.api.refuse(foreign, refused).status == 403)
        #expect(await bench.answer("GET", "/nowhere").status == 404)
        let metrics = try await bench.metrics()
        #expect(metrics["ferry_lock_refusals_total"]?.value(["holder": "job"]) == 1)
        #expect(metrics["ferry_http_refusals_total"]?.value(["reason": "foreign_host"]) == 1)
        let requests = metrics["ferry_http_requests_total"]
        #expect(requests?.value(["endpoint": "createJob", "status": "409"]) == 1)
        #expect(requests?.value(["endpoint": "none", "status": "404"]) == 1)
    }

    @Test("the process is told as the kernel tells it")
    func process() async throws {
        let metrics = try await EngineUnderTest().metrics()
        let resident = try #require(metrics["process_resident_memory_bytes"]?.value())
        let status = try BoundedFile.text(at: "/proc/self/status")
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        let kibibytes = try #require(Double(line.split(separator: " ").dropFirst().first ?? ""))
        #expect(resident > kibibytes * 1024 / 4 && resident < kibibytes * 1024 * 4)
        let open = try #require(metrics["process_open_fds"]?.value())
        #expect(open > 3 && open <= (metrics["process_max_fds"]?.value() ?? .infinity))
        #expect((metrics["process_cpu_seconds_total"]?.value() ?? 0) > 0)
        #expect((metrics["process_start_time_seconds"]?.value() ?? 0) > 1_700_000_000)
    }

    @Test("values of labels cannot break out of their line")
    func escaping() throws {
        let evil = "a\"} 1\nferry_b{x=\"\\n"
        let family = MetricFamily(
            "ferry_a",
            .gauge,
            "back\\slash\nand newline",
            [
                .init(.number(0.25), [("x", evil)]), .init(.number(0x1p53), [("x", "")]),
            ]
        )
        let parsed = try PrometheusParser(PrometheusText([family]).text)
        #expect(parsed.families.count == 1)
        #expect(parsed.families["ferry_a"]?.value(["x": evil]) == 0.25)
        #expect(parsed.families["ferry_a"]?.value(["x": ""]) == 9_007_199_254_740_992)
    }

    private static func documented() throws -> [String: (type: String, labels: [String])] {
        // Tests/ManagementAPITests/MetricsTests.swift → the top of the package.
        let top = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let text = try BoundedFile.text(at: "/\(top)/docs/metrics.md", limit: 1 << 20)
        var metrics: [String: (type: String, labels: [String])] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.filter { $0 != "`" && $0 != " " } }
            try #require(cells.count == 4, "\(line)")
            let labels = cells[2].split(separator: ",").map(String.init)
            let old = metrics.updateValue((cells[1], labels), forKey: cells[0])
            try #require(old == nil, "\(line)")
        }
        return metrics
    }
}

extension EngineUnderTest {
    /// The metrics, parsed.
    func metrics() async throws -> [String: PrometheusParser.Family] {
        let response = try await ask("GET", "/metrics")
        #expect(response.status == 200)
        #expect(response.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8")
        return try PrometheusParser(String(decoding: response.body, as: UTF8.self)).families
    }

    /// A job as asked, once it has ended.
    func finishedJob(_ body: String) async throws -> JobDTO {
        let job = try await ask("POST", "/v1/jobs", body: body, for: JobDTO.self, status: 202)
        return try await self.job(job.id) { $0.isFinished }
    }

    /// A job once it is as wanted, by long polls.
    func job(_ id: String, where isWanted: (JobDTO) -> Bool) async throws -> JobDTO {
        var job = try await ask("GET", "/v1/jobs/\(id)", for: JobDTO.self)
        while !isWanted(job) {
            try #require(!job.isFinished, "\(job.state)")
            let query = "after_generation=\(job.generation)&wait=20"
            job = try await ask("GET", "/v1/jobs/\(id)", query, for: JobDTO.self)
        }
        return job
    }
}
