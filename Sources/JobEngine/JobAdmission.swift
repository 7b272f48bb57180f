internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer

/// The rules by which a job may begin.
///
/// Each notes what it finds and goes on, so that a check tells everything; an admission throws what
/// was found first. Called with the job's devices locked and its image in use, what an admission saw
/// stays true; what a check saw may be over at once.
struct JobAdmission {
    let backends: Backends
    let sessions: SessionTable
    let images: ImageCatalogue
    /// Most devices of a set: each needs a worker.
    let memberLimit: Int
    /// Devices that somebody else has now: the state they are in is on its way to another.
    ///
    /// None for an admission, which has them all to itself.
    var taken: Set<DeviceID> = []

    /// What a job needs to run.
    struct Admitted {
        let plan: TransferPlan
        let members: JobMembers
    }

    /// What can be said without a lock: the shape of the request and the existence of devices.
    func checkShape(of work: JobSpec.Work, _ findings: inout Findings) {
        let devices = work.devices
        if !(1...memberLimit).contains(work.memberCount) {
            findings.note(
                Problem(
                    .setUnsupported,
                    at: "/devices",
                    "A job has 1 to \(memberLimit) devices, as many as the daemon has workers; this "
                        + "one names \(work.memberCount)."
                )
            )
        }
        for (index, device) in devices.enumerated() where devices[..<index].contains(device) {
            let pointer = work.pointer(toPlace: index)
            findings.note(
                Problem(.invalidField, at: pointer, "\(device) is named twice.", device)
            )
        }
        for (index, device) in devices.enumerated() where backends.record(device) == nil {
            findings.note(
                Problem(
                    .invalidField,
                    at: work.pointer(toPlace: index),
                    "This host has no device \(device).",
                    device
                )
            )
        }
    }

    /// Throws the first reason against a job.
    func admit(_ spec: JobSpec) throws(Problem) -> Admitted {
        var findings = Findings()
        let admitted = survey(spec, &findings)
        // A device may have gone since the shape was checked.
        if admitted == nil { checkShape(of: spec.work, &findings) }
        try findings.check()
        guard let admitted else {
            throw Problem(.internalError, "A job was refused for no reason.")
        }
        return admitted
    }

    /// What the job would work on; nil when something is found that bars it.
    func survey(_ spec: JobSpec, _ findings: inout Findings) -> Admitted? {
        let rate = spec.limits.bandwidthBytesPerSecond
        switch spec.work {
        case .save(let sources, let after):
            let found = members(sources) { number, device in
                source(device, &findings).map { JobMember(number, source: $0) }
            }
            let flags = driving(found, .source, spec, &findings)
            guard let flags, let members = whole(found, sources) else { return nil }
            return Admitted(
                plan: .save(flags, after: after),
                members: JobMembers(members, bytesPerSecond: rate)
            )
        case .restore(let id, let wanted, _, let discard):
            let image = image(id, wanted, &findings)
            let found = members(wanted) { number, one in
                restored(one, number, from: image, discard: discard, &findings)
            }
            let flags = driving(found, .target, spec, &findings)
            guard let flags, let image, let members = whole(found, wanted) else { return nil }
            return Admitted(plan: .restore(flags), members: JobMembers(members, image: image))
        case .migrate(let pairs, let discard):
            let found = members(pairs) { number, pair in
                migrated(pair, number, discard: discard, &findings)
            }
            let from = driving(found, .source, spec, &findings)
            let to = driving(found, .target, spec, &findings)
            guard let from, let to, let members = whole(found, pairs) else { return nil }
            return Admitted(
                plan: .migrate(from: from, to: to),
                members: JobMembers(members, bytesPerSecond: rate)
            )
        case .reset(let devices):
            let found = members(devices) { number, device in
                session(device, &findings).map { JobMember(number, source: $0) }
            }
            guard let members = whole(found, devices) else { return nil }
            return Admitted(plan: .reset, members: JobMembers(members))
        }
    }

    private func members<Wanted>(
        _ wanted: [Wanted],
        _ make: (Int, Wanted) -> JobMember?
    ) -> [JobMember] {
        wanted.enumerated().compactMap { make($0.offset, $0.element) }
    }

    /// The members when there is one for each that was wanted, with every session it needs.
    private func whole<Wanted>(_ members: [JobMember], _ wanted: [Wanted]) -> [JobMember]? {
        members.count == wanted.count ? members : nil
    }

    private func restored(
        _ wanted: JobSpec.RestoreMember,
        _ number: Int,
        from image: ImageRecord?,
        discard: Bool,
        _ findings: inout Findings
    ) -> JobMember? {
        let target = target(wanted.target, discard: discard, &findings)
        let index = image.flatMap { imageMember(wanted, number, of: $0, &findings) }
        guard let target, let image, let index else { return nil }
        checkFit(image.members[index], target, &findings)
        return JobMember(number, target: target, imageMember: index)
    }

    private func migrated(
        _ pair: JobSpec.DevicePair,
        _ number: Int,
        discard: Bool,
        _ findings: inout Findings
    ) -> JobMember? {
        let source = source(pair.source, &findings)
        let target = target(pair.target, discard: discard, &findings)
        guard let source, let target else { return nil }
        checkFit(source, target, &findings)
        return JobMember(number, source: source, target: target)
    }

    /// The flags a side's devices are driven by together.
    ///
    /// Notes `set-unsupported` for devices that may reach each other with no order that is safe.
    private func driving(
        _ members: [JobMember],
        _ side: Side,
        _ spec: JobSpec,
        _ findings: inout Findings
    ) -> MigrationFlags? {
        var flags: [MigrationFlags] = []
        var withoutP2P: [String] = []
        for session in members.compactMap({ side == .source ? $0.source : $0.target }) {
            guard let one = self.flags(of: session, &findings) else { continue }
            flags.append(one)
            if !one.contains(.p2p) {
                withoutP2P.append("\(session.device.device) has no P2P states.")
            }
        }
        if spec.work.memberCount > 1, !withoutP2P.isEmpty, !spec.hasNoPeerMappings {
            var problem = Problem(
                .setUnsupported,
                at: "/devices",
                "Devices that may send DMA to each other move together only when all have the P2P "
                    + "states. If none of them maps another's memory, say no_p2p_mappings."
            )
            problem.facts.reasons = withoutP2P
            findings.note(problem)
        }
        return flags.count == members.count ? .driving(flags) : nil
    }
}

extension Problem {
    /// A problem of a field of the request.
    init(
        _ code: Code,
        at pointer: String,
        _ detail: String,
        _ device: DeviceID? = nil
    ) {
        self.init(code, detail)
        facts.pointer = pointer
        facts.device = device
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
