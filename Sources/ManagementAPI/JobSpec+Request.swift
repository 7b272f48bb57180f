internal import APISchema
internal import MigrationCore

extension JobSpec {
    /// What a request asks for, or `invalid-field` with the pointer of the first field at fault.
    init(_ request: JobRequestDTO) throws(Problem) {
        let kind: JobKind = try RequestField.value(request.kind, at: "/kind")
        try RequestField.requireCount(request.devices.count, in: 1...64, at: "/devices")
        try Self.refuseForeignFields(of: request, for: kind)
        self.init(
            id: try request.id.map { id throws(Problem) in
                try RequestField.identifier(id, at: "/id")
            },
            work: try Self.work(request, kind),
            limits: try request.limits.map(Limits.init) ?? Limits(),
            switchoverMode: try request.switchover?.mode.map { mode throws(Problem) in
                try RequestField.value(mode, at: "/switchover/mode")
            } ?? .auto,
            labels: try Self.labels(request.labels ?? [:])
        )
        try Self.refuseRepetition(in: request.devices, of: kind)
    }

    private static func work(
        _ request: JobRequestDTO,
        _ kind: JobKind
    ) throws(Problem) -> Work {
        let discard = request.discardTargetContent ?? false
        switch kind {
        case .save:
            return .save(
                sources: try sources(request.devices),
                after: try request.after.map { after throws(Problem) in
                    try RequestField.value(after, at: "/after")
                } ?? .run
            )
        case .restore:
            guard let image = request.image else {
                throw RequestField.problem(at: "/image", "A restore needs an image.")
            }
            return .restore(
                image: try RequestField.identifier(image, at: "/image"),
                members: try restoreMembers(request.devices),
                acceptCopy: request.acceptCopy ?? false,
                discard: discard
            )
        case .migrate: return .migrate(pairs: try pairs(request.devices), discard: discard)
        case .reset: return .reset(devices: try sources(request.devices))
        }
    }

    /// Fields that only other kinds have: taking them silently would promise what is not done.
    private static func refuseForeignFields(
        of request: JobRequestDTO,
        for kind: JobKind
    ) throws(Problem) {
        let fields: [(name: String, isGiven: Bool, kinds: [JobKind])] = [
            ("image", request.image != nil, [.restore]),
            ("after", request.after != nil, [.save]),
            ("accept_copy", request.acceptCopy != nil, [.restore]),
            ("discard_target_content", request.discardTargetContent != nil, [.restore, .migrate]),
            ("switchover", request.switchover != nil, [.migrate]),
        ]
        for field in fields where field.isGiven && !field.kinds.contains(kind) {
            throw RequestField.problem(
                at: "/\(field.name)",
                "A \(kind.rawValue) does not take \(field.name)."
            )
        }
        guard let limits = request.limits, kind == .restore || kind == .reset else { return }
        if limits.downtimeMs != nil {
            throw RequestField.problem(
                at: "/limits/downtime_ms",
                "A \(kind.rawValue) does not take downtime_ms."
            )
        }
        if limits.bandwidthBytesPerSecond != nil {
            throw RequestField.problem(
                at: "/limits/bandwidth_bytes_per_second",
                "A \(kind.rawValue) does not take bandwidth_bytes_per_second."
            )
        }
    }

    private static func labels(_ labels: [String: String]) throws(Problem) -> [String: String] {
        try RequestField.requireCount(labels.count, in: 0...64, at: "/labels")
        for (name, value) in labels
        where !(1...64).contains(name.utf8.count) || value.utf8.count > 256 {
            throw RequestField.problem(
                at: "/labels",
                "A label's name has 1 to 64 bytes and its value at most 256."
            )
        }
        return labels
    }
}

extension JobSpec.Limits {
    fileprivate init(_ request: JobRequestLimitsDTO) throws(Problem) {
        self.init()
        if let rate = request.bandwidthBytesPerSecond {
            try RequestField.require(
                rate,
                in: 4096...Int64.max,
                at: "/limits/bandwidth_bytes_per_second"
            )
            bandwidthBytesPerSecond = UInt64(rate)
        }
        if let downtime = request.downtimeMs {
            try RequestField.require(downtime, in: 1...3_600_000, at: "/limits/downtime_ms")
            downtimeMilliseconds = UInt64(downtime)
        }
        if let timeout = request.completionTimeoutS {
            try RequestField.require(timeout, in: 1...604_800, at: "/limits/completion_timeout_s")
            completionTimeoutSeconds = UInt64(timeout)
        }
    }
}
