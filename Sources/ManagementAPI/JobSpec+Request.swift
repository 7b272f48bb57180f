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
            limits: try request.limits.map { limits throws(Problem) in
                try Limits(limits, at: "/limits")
            } ?? Limits(),
            switchoverMode: try request.switchover?.mode.map { mode throws(Problem) in
                try RequestField.value(mode, at: "/switchover/mode")
            } ?? .auto,
            hasNoPeerMappings: request.noP2pMappings ?? false,
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
            ("no_p2p_mappings", request.noP2pMappings != nil, [.save, .restore, .migrate]),
        ]
        for field in fields where field.isGiven && !field.kinds.contains(kind) {
            throw RequestField.problem(
                at: "/\(field.name)",
                "A \(kind.rawValue) does not take \(field.name)."
            )
        }
        if let limits = request.limits {
            try refuseForeignFields(of: limits, for: kind, at: "/limits")
        }
    }

    /// Limits that only kinds with a pre-copy have.
    static func refuseForeignFields(
        of limits: JobRequestLimitsDTO,
        for kind: JobKind,
        at pointer: String
    ) throws(Problem) {
        guard kind == .restore || kind == .reset else { return }
        let fields: [(name: String, isGiven: Bool)] = [
            ("downtime_ms", limits.downtimeMs != nil),
            ("bandwidth_bytes_per_second", limits.bandwidthBytesPerSecond != nil),
            ("progress_timeout_s", limits.progressTimeoutS != nil),
            ("on_timeout", limits.onTimeout == OnTimeout.switchOver.rawValue),
        ]
        for field in fields where field.isGiven {
            throw RequestField.problem(
                at: "\(pointer)/\(field.name)",
                "A \(kind.rawValue) has no pre-copy and does not take this."
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
    /// `pointer` is where the limits stand in the request.
    init(_ request: JobRequestLimitsDTO, at pointer: String) throws(Problem) {
        self.init()
        let take = {
            (number: Int64?, range: ClosedRange<Int64>, name: String)
                throws(Problem) -> UInt64? in
            guard let number else { return nil }
            try RequestField.require(number, in: range, at: "\(pointer)/\(name)")
            return UInt64(number)
        }
        bandwidthBytesPerSecond = try take(
            request.bandwidthBytesPerSecond,
            4096...Int64.max,
            "bandwidth_bytes_per_second"
        )
        downtimeMilliseconds =
            try take(request.downtimeMs, 1...3_600_000, "downtime_ms") ?? downtimeMilliseconds
        completionTimeoutSeconds =
            try take(request.completionTimeoutS, 1...604_800, "completion_timeout_s")
            ?? completionTimeoutSeconds
        progressTimeoutSeconds = try take(
            request.progressTimeoutS,
            1...604_800,
            "progress_timeout_s"
        )
        if let onTimeout = request.onTimeout {
            self.onTimeout = try RequestField.value(onTimeout, at: "\(pointer)/on_timeout")
        }
    }
}
