/// The host and the daemon that answers for it.
package struct HostDTO: Hashable, Sendable, Codable {
    package let hostname: String
    /// As `uname -r` tells it.
    package let kernelRelease: String
    /// As `uname -m` tells it.
    package let machine: String
    /// The version of ferryd.
    package let version: String
    package let startedAt: String
    package let workers: WorkersDTO

    package init(
        hostname: String,
        kernelRelease: String,
        machine: String,
        version: String,
        startedAt: String,
        workers: WorkersDTO
    ) {
        self.hostname = hostname
        self.kernelRelease = kernelRelease
        self.machine = machine
        self.version = version
        self.startedAt = startedAt
        self.workers = workers
    }
}

/// The queues that jobs lease, one for each of their devices.
package struct WorkersDTO: Hashable, Sendable, Codable {
    package let total: Int
    package let busy: Int

    package init(total: Int, busy: Int) {
        self.total = total
        self.busy = busy
    }
}

/// The answer of `/healthz`: the process serves.
package struct HealthDTO: Hashable, Sendable, Codable {
    /// Always `ok`.
    package let status: String

    package init(status: String = "ok") { self.status = status }
}

/// The answer of `/readyz`, with 200 when every check is fine and 503 when one is not.
package struct ReadinessDTO: Hashable, Sendable, Codable {
    package let ready: Bool
    package let checks: [CheckDTO]

    package init(ready: Bool, checks: [CheckDTO]) {
        self.ready = ready
        self.checks = checks
    }
}

/// One thing the daemon needs to take work.
package struct CheckDTO: Hashable, Sendable, Codable {
    package let name: String
    /// What is wrong; left out when it is fine.
    package let failure: String?

    package init(name: String, failure: String?) {
        self.name = name
        self.failure = failure
    }
}
