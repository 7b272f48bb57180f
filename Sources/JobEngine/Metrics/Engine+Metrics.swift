internal import MigrationCore
internal import MigrationPorts
internal import Synchronization
internal import SystemIO

extension Engine {
    /// Everything the engine measures: what it counted, and how it stands now.
    ///
    /// Takes no device lock and does not wait for the store; looks at `/proc` and at the sizes of
    /// the store's files, so not for an HTTP thread.
    package func metricFamilies() -> [MetricFamily] {
        let build = MetricFamily.Series(.number(1), [("version", configuration.version)])
        let info = MetricFamily("ferry_build_info", .gauge, "The version of ferryd.", [build])
        return [info] + metrics.families + poolFamilies + jobFamilies + contentFamilies
            + storeFamilies + Self.processFamilies
    }

    private var poolFamilies: [MetricFamily] {
        let commands = commands.load
        return [
            .gauge("ferry_workers", "Workers jobs run on.", Double(workers.workerCount)),
            .gauge("ferry_workers_busy", "Workers a job has.", Double(workers.busyCount)),
            .gauge(
                "ferry_jobs_waiting",
                "Jobs that wait for workers.",
                Double(workers.waitingCount)
            ),
            .gauge(
                "ferry_commands_busy",
                "Requests that are being worked on.",
                Double(commands.busy)
            ),
            .gauge(
                "ferry_commands_pending",
                "Requests that wait to be worked on.",
                Double(commands.pending)
            ),
        ]
    }

    private var jobFamilies: [MetricFamily] {
        var counts: [String: Double] = ["queued": 0, "running": 0, "cancelling": 0]
        for job in jobTable.active { counts[job.job.state.name, default: 0] += 1 }
        counts["indeterminate"] = Double(locks.indeterminateCount)
        let devices = metrics.transfers.flatMap(\.devices)
        return [
            .gauge(
                "ferry_jobs",
                "Jobs that have not ended, and indeterminate ones that keep devices.",
                by: "state",
                counts.sorted { $0.key < $1.key }
            ),
            Self.family(
                "ferry_job_device_transferred_bytes",
                "Bytes of a running job's device that moved so far.",
                devices,
                \.movedByteCount
            ),
            Self.family(
                "ferry_job_device_rate_bytes_per_second",
                "Bytes a second of a running job's device, over the last seconds.",
                devices,
                \.bytesPerSecond
            ),
            Self.family(
                "ferry_job_device_remaining_bytes",
                "Bytes a running job's device has still to move, by its own last word.",
                devices,
                \.remainingByteCount
            ),
        ]
    }

    private static func family(
        _ name: String,
        _ help: String,
        _ devices: [TransferMetrics.DeviceReading],
        _ value: (TransferMetrics.DeviceReading) -> UInt64
    ) -> MetricFamily {
        let series = devices.map { MetricFamily.Series(.number(Double(value($0))), $0.labels) }
        return MetricFamily(name, .gauge, help, series)
    }

    private var contentFamilies: [MetricFamily] {
        let contents: [DeviceContent] = [.empty, .live, .loaded, .lost]
        let held = sessionTable.allOpen.map(\.record.content)
        let images = catalogue.all
        return [
            .gauge(
                "ferry_sessions",
                "Open sessions, by what their devices hold.",
                by: "content",
                contents.map { content in
                    (content.rawValue, Double(held.count { $0 == content }))
                }
            ),
            .gauge("ferry_images", "Images there are.", Double(images.count)),
            .gauge(
                "ferry_image_bytes",
                "Bytes of device state in all images.",
                images.reduce(0) { $0 + Double($1.byteCount) }
            ),
        ]
    }

    private var storeFamilies: [MetricFamily] {
        let sizes = store.sizes()
        return [
            .gauge(
                "ferry_store_database_bytes",
                "Size of the store's file.",
                Double(sizes.databaseByteCount)
            ),
            .gauge(
                "ferry_store_log_bytes",
                "Size of the store's write-ahead log.",
                Double(sizes.logByteCount)
            ),
            .gauge(
                "ferry_store_last_checkpoint_timestamp_seconds",
                "When the log was last moved into the store; 0 before the first time.",
                Double(metrics.lastCheckpoint.load(ordering: .relaxed)) / 1000
            ),
        ]
    }

    /// The process, under the names every program has them by; none of what cannot be read.
    private static var processFamilies: [MetricFamily] {
        let usage = ProcessUsage.now()
        func gauge(_ name: String, _ help: String, _ value: Double?) -> MetricFamily {
            MetricFamily(name, .gauge, help, value.map { [.init(.number($0))] } ?? [])
        }
        return [
            .counter(
                "process_cpu_seconds_total",
                "Time of processors the process has used.",
                usage.processorSeconds
            ),
            gauge(
                "process_resident_memory_bytes",
                "Memory of the process that is resident.",
                usage.residentByteCount.map { Double($0) }
            ),
            gauge(
                "process_open_fds",
                "File descriptors the process has open.",
                usage.descriptorCount.map { Double($0) }
            ),
            gauge(
                "process_max_fds",
                "File descriptors the process may have open.",
                usage.descriptorLimit.map { Double($0) }
            ),
            gauge(
                "process_start_time_seconds",
                "When the process began, since 1970.",
                usage.startSeconds
            ),
        ]
    }
}
