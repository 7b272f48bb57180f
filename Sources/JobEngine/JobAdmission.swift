internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer

/// Decides whether a job may begin, with every reason when it may not.
///
/// Called with the job's devices locked and its image in use, so that what it saw stays true.
struct JobAdmission {
    let backends: Backends
    let sessions: SessionTable
    let images: ImageCatalogue

    /// What a job needs to run.
    struct Admitted {
        let plan: TransferPlan
        let members: JobMembers
    }

    /// What can be said without a lock: the shape of the request and the existence of devices.
    func checkShape(of work: JobSpec.Work) throws(Problem) {
        let devices = work.devices
        let memberCount =
            switch work {
            case .migrate(let pairs, _): pairs.count
            default: devices.count
            }
        guard memberCount == 1 else {
            throw field(
                .setUnsupported,
                "/devices",
                "A job has one device for now; this one names \(memberCount)."
            )
        }
        for (index, device) in devices.enumerated() where devices[..<index].contains(device) {
            throw field(.invalidField, "/devices/0/target", "\(device) is named twice.")
        }
        for device in devices where backends.record(device) == nil {
            throw field(
                .invalidField,
                work.pointer(to: device),
                "This host has no device \(device).",
                device
            )
        }
    }

    func admit(_ spec: JobSpec) throws(Problem) -> Admitted {
        let limiter = spec.limits.bandwidthBytesPerSecond.map { RateLimiter(bytesPerSecond: $0) }
        switch spec.work {
        case .save(let sources, let after):
            let source = try source(sources[0])
            return Admitted(
                plan: .save(try flags(of: source), after: after),
                members: JobMembers(source: source, target: nil, image: nil, limiter: limiter)
            )
        case .restore(let id, let members, _, let discard):
            let target = try target(members[0].target, discard: discard)
            let image = try image(id, members[0])
            try checkFit(image.members[0], target)
            return Admitted(
                plan: .restore(try flags(of: target)),
                members: JobMembers(source: nil, target: target, image: image, limiter: nil)
            )
        case .migrate(let pairs, let discard):
            let source = try source(pairs[0].source)
            let target = try target(pairs[0].target, discard: discard)
            try checkFit(source, target)
            return Admitted(
                plan: .migrate(from: try flags(of: source), to: try flags(of: target)),
                members: JobMembers(source: source, target: target, image: nil, limiter: limiter)
            )
        case .reset(let devices):
            let session = try session(devices[0])
            return Admitted(
                plan: .reset,
                members: JobMembers(source: session, target: nil, image: nil, limiter: nil)
            )
        }
    }

    // MARK: Devices

    private func source(_ device: DeviceID) throws(Problem) -> OpenSession {
        try checkMigratable(device)
        let session = try session(device)
        let content = session.record.content
        switch content {
        case .live, .loaded:
            try checkRuns(session)
            return session
        case .lost:
            throw content.problem(
                .contentLost,
                device,
                session,
                "The content of \(device) was lost; nothing is left."
            )
        case .empty:
            throw content.problem(
                .noSession,
                device,
                session,
                "The session on \(device) has no content: there is nothing to move."
            )
        }
    }

    /// A source begins in RUNNING, and taking it anywhere lets it run until it is quiesced.
    private func checkRuns(_ session: OpenSession) throws(Problem) {
        let device = session.device.device
        if let image = session.stoppedImage { throw session.stopped(for: image) }
        guard let state = session.device.lastState, state != .known(.running) else { return }
        var facts = Problem.Facts(device: device)
        facts.session = session.record.id
        facts.reasons = ["The device is in \(state.kernelName)."]
        throw Problem(.incompatible, "\(device) is not in RUNNING, where a source begins.", facts)
    }

    private func target(_ device: DeviceID, discard: Bool) throws(Problem) -> OpenSession {
        try checkMigratable(device)
        let session = try session(device)
        let record = session.record
        let isInUse = record.content == .live || record.content == .loaded
        guard !isInUse || record.isReproducible || discard else {
            throw record.content.problem(
                .targetHasContent,
                device,
                session,
                "\(device) has content that would be lost; say discard_target_content to lose it."
            )
        }
        return session
    }

    private func session(_ device: DeviceID) throws(Problem) -> OpenSession {
        if let session = sessions.open(on: device) { return session }
        throw Problem(
            .noSession,
            "\(device) has no session: open one, or hand the device in, first.",
            Problem.Facts(device: device)
        )
    }

    private func checkMigratable(_ device: DeviceID) throws(Problem) {
        let support =
            sessions.open(on: device)?.device.session.support ?? backends.record(device)?.support
        switch support {
        case .some(.none):
            var facts = Problem.Facts(
                device: device,
                operation: "VFIO_DEVICE_FEATURE_MIGRATION",
                errno: .notTypewriter
            )
            facts.reasons = ["The driver of the device has no migration support."]
            throw Problem(.notMigratable, "\(device) cannot be migrated.", facts)
        case .recreate:
            var facts = Problem.Facts(device: device)
            facts.reasons = ["Devices of this kind have no state stream; they are made anew."]
            throw Problem(.notMigratable, "\(device) has no state stream.", facts)
        default: break
        }
    }

    private func flags(of session: OpenSession) throws(Problem) -> MigrationFlags {
        guard let flags = session.device.session.support.flags else {
            throw Problem(
                .notMigratable,
                "\(session.device.device) has no migration flags.",
                Problem.Facts(device: session.device.device)
            )
        }
        return flags
    }

    // MARK: Compatibility

    private func checkFit(_ source: OpenSession, _ target: OpenSession) throws(Problem) {
        try check(
            target,
            driver: source.facts.driver,
            vendorID: source.facts.vendorID,
            deviceID: source.facts.deviceID
        )
    }

    private func checkFit(_ member: ImageRecord.Member, _ target: OpenSession) throws(Problem) {
        try check(
            target,
            driver: member.driver,
            vendorID: member.vendorID,
            deviceID: member.deviceID
        )
    }

    /// What can be told before the driver's own header is loaded, which is the real judge.
    private func check(
        _ target: OpenSession,
        driver: String?,
        vendorID: UInt32?,
        deviceID: UInt32?
    ) throws(Problem) {
        var reasons: [String] = []
        if driver != target.facts.driver {
            reasons.append(
                "The driver is \(driver ?? "none") at the source and "
                    + "\(target.facts.driver ?? "none") at the target."
            )
        }
        if vendorID != target.facts.vendorID || deviceID != target.facts.deviceID {
            reasons.append("The vendor or device ids differ.")
        }
        guard reasons.isEmpty else {
            var facts = Problem.Facts(device: target.device.device)
            facts.reasons = reasons
            throw Problem(
                .incompatible,
                "The state does not fit \(target.device.device).",
                facts
            )
        }
    }

    private func image(
        _ id: ImageID,
        _ member: JobSpec.RestoreMember
    ) throws(Problem) -> ImageRecord {
        guard let image = images.record(id) else {
            throw field(.invalidField, "/image", "There is no image \(id).")
        }
        guard image.members.count == 1 else {
            throw field(.setUnsupported, "/image", "Image \(id) has several devices.")
        }
        if let source = member.source, image.members[0].device != source {
            throw field(
                .invalidField,
                "/devices/0/source",
                "Image \(id) has no state of \(source).",
                source
            )
        }
        return image
    }

    private func field(
        _ code: Problem.Code,
        _ pointer: String,
        _ detail: String,
        _ device: DeviceID? = nil
    ) -> Problem {
        var facts = Problem.Facts()
        facts.pointer = pointer
        facts.device = device
        return Problem(code, detail, facts)
    }
}

extension DeviceContent {
    fileprivate func problem(
        _ code: Problem.Code,
        _ device: DeviceID,
        _ session: OpenSession,
        _ detail: String
    ) -> Problem {
        var facts = Problem.Facts(device: device)
        facts.session = session.record.id
        facts.content = self
        return Problem(code, detail, facts)
    }
}

extension JobSpec.Work {
    /// The JSON pointer of the field that names a device.
    fileprivate func pointer(to device: DeviceID) -> String {
        switch self {
        case .save, .reset: "/devices/0/source"
        case .restore: "/devices/0/target"
        case .migrate(let pairs, _):
            pairs.contains { $0.source == device } ? "/devices/0/source" : "/devices/0/target"
        }
    }
}
