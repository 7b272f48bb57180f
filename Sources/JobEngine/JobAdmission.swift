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
    /// Most devices of a set: each needs a worker.
    let memberLimit: Int

    /// What a job needs to run.
    struct Admitted {
        let plan: TransferPlan
        let members: JobMembers
    }

    /// What can be said without a lock: the shape of the request and the existence of devices.
    func checkShape(of work: JobSpec.Work) throws(Problem) {
        let devices = work.devices
        guard (1...memberLimit).contains(work.memberCount) else {
            throw field(
                .setUnsupported,
                "/devices",
                "A job has 1 to \(memberLimit) devices, as many as the daemon has workers; this one "
                    + "names \(work.memberCount)."
            )
        }
        for (index, device) in devices.enumerated() where devices[..<index].contains(device) {
            let pointer = work.pointer(toPlace: index)
            throw field(.invalidField, pointer, "\(device) is named twice.", device)
        }
        for (index, device) in devices.enumerated() where backends.record(device) == nil {
            throw field(
                .invalidField,
                work.pointer(toPlace: index),
                "This host has no device \(device).",
                device
            )
        }
    }

    func admit(_ spec: JobSpec) throws(Problem) -> Admitted {
        let rate = spec.limits.bandwidthBytesPerSecond
        switch spec.work {
        case .save(let sources, let after):
            let members = try members(sources) { number, device throws(Problem) in
                JobMember(number, source: try source(device))
            }
            let flags = try driving(members, .source, spec)
            return Admitted(
                plan: .save(flags, after: after),
                members: JobMembers(members, bytesPerSecond: rate)
            )
        case .restore(let id, let wanted, _, let discard):
            let image = try image(id, wanted)
            let members = try members(wanted) { number, one throws(Problem) in
                try restored(one, number, from: image, discard: discard)
            }
            return Admitted(
                plan: .restore(try driving(members, .target, spec)),
                members: JobMembers(members, image: image)
            )
        case .migrate(let pairs, let discard):
            let members = try members(pairs) { number, pair throws(Problem) in
                let source = try source(pair.source)
                let target = try target(pair.target, discard: discard)
                try checkFit(source, target)
                return JobMember(number, source: source, target: target)
            }
            return Admitted(
                plan: .migrate(
                    from: try driving(members, .source, spec),
                    to: try driving(members, .target, spec)
                ),
                members: JobMembers(members, bytesPerSecond: rate)
            )
        case .reset(let devices):
            let members = try members(devices) { number, device throws(Problem) in
                JobMember(number, source: try session(device))
            }
            return Admitted(plan: .reset, members: JobMembers(members))
        }
    }

    private func members<Wanted>(
        _ wanted: [Wanted],
        _ make: (Int, Wanted) throws(Problem) -> JobMember
    ) throws(Problem) -> [JobMember] {
        var members: [JobMember] = []
        for one in wanted { members.append(try make(members.count, one)) }
        return members
    }

    private func restored(
        _ wanted: JobSpec.RestoreMember,
        _ number: Int,
        from image: ImageRecord,
        discard: Bool
    ) throws(Problem) -> JobMember {
        let target = try target(wanted.target, discard: discard)
        let index = try imageMember(wanted, number, of: image)
        try checkFit(image.members[index], target)
        return JobMember(number, target: target, imageMember: index)
    }

    // MARK: Sets

    /// The flags a side's devices are driven by together.
    ///
    /// Throws `set-unsupported` for devices that may reach each other with no order that is safe.
    private func driving(
        _ members: [JobMember],
        _ side: Side,
        _ spec: JobSpec
    ) throws(Problem) -> MigrationFlags {
        var flags: [MigrationFlags] = []
        var withoutP2P: [String] = []
        for member in members {
            let session = try member.session(side)
            flags.append(try self.flags(of: session))
            if flags.last?.contains(.p2p) == false {
                withoutP2P.append("\(session.device.device) has no P2P states.")
            }
        }
        guard members.count > 1, !withoutP2P.isEmpty, !spec.hasNoPeerMappings else {
            return .driving(flags)
        }
        var facts = Problem.Facts()
        facts.pointer = "/devices"
        facts.reasons = withoutP2P
        throw Problem(
            .setUnsupported,
            "Devices that may send DMA to each other move together only when all have the P2P states. "
                + "If none of them maps another's memory, say no_p2p_mappings.",
            facts
        )
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
        if let bar = session.bar { throw bar }
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
        guard source.facts.backend == target.facts.backend else {
            var facts = Problem.Facts(device: target.device.device)
            facts.reasons = ["One of them is simulated and the other one is not."]
            throw Problem(
                .incompatible,
                "The state of \(source.device.device) does not fit \(target.device.device).",
                facts
            )
        }
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

    /// The image of a restore, which moves as the set it was saved as.
    private func image(
        _ id: ImageID,
        _ wanted: [JobSpec.RestoreMember]
    ) throws(Problem) -> ImageRecord {
        guard let image = images.record(id) else {
            throw field(.invalidField, "/image", "There is no image \(id).")
        }
        guard image.members.count == wanted.count else {
            throw field(
                .invalidField,
                "/devices",
                "Image \(id) has \(image.members.count) devices, which move together; this restore "
                    + "names \(wanted.count)."
            )
        }
        return image
    }

    private func imageMember(
        _ wanted: JobSpec.RestoreMember,
        _ number: Int,
        of image: ImageRecord
    ) throws(Problem) -> Int {
        let pointer = "/devices/\(number)/source"
        guard let source = wanted.source else {
            guard image.members.count == 1 else {
                throw field(
                    .invalidField,
                    pointer,
                    "Image \(image.id) has several devices: name which one goes where."
                )
            }
            return 0
        }
        guard let index = image.members.firstIndex(where: { $0.device == source }) else {
            throw field(
                .invalidField,
                pointer,
                "Image \(image.id) has no state of \(source).",
                source
            )
        }
        return index
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
    fileprivate var memberCount: Int {
        if case .migrate(let pairs, _) = self { return pairs.count }
        return devices.count
    }

    /// The JSON pointer of the field that names the device in this place of ``devices``.
    fileprivate func pointer(toPlace index: Int) -> String {
        switch self {
        case .save, .reset: "/devices/\(index)/source"
        case .restore: "/devices/\(index)/target"
        case .migrate(let pairs, _):
            index < pairs.count
                ? "/devices/\(index)/source" : "/devices/\(index - pairs.count)/target"
        }
    }
}
