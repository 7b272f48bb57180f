internal import APISchema
internal import JobEngine
internal import MigrationCore

extension HostDTO {
    init(_ view: HostView) {
        self.init(
            hostname: view.hostname,
            kernelRelease: view.kernelRelease,
            machine: view.machine,
            version: view.version,
            startedAt: view.startedAt.rfc3339,
            workers: WorkersDTO(total: view.workerCount, busy: view.workersBusy)
        )
    }
}

extension ReadinessDTO {
    init(_ readiness: Readiness) {
        self.init(
            ready: readiness.isReady,
            checks: readiness.checks.map { CheckDTO(name: $0.name, failure: $0.failure) }
        )
    }
}
