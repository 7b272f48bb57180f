package import MigrationCore
internal import MigrationPorts
internal import StateTransfer

/// What a job would meet if it were asked for now.
package struct JobCheck: Hashable, Sendable {
    /// Every reason for which it would be refused, in the order of the rules.
    package let problems: [Problem]
    /// What it would do that may surprise who asks for it.
    package let warnings: [String]
    /// What the SETs of the downtime took in earlier jobs of the same drivers: the downtime will not
    /// be shorter.
    ///
    /// Nil when none is known, and for jobs without one.
    package let setNanoseconds: UInt64?
    /// How much state it would move, as the image or the devices say; nil when none does.
    package let stateByteCount: UInt64?
}

extension Engine {
    /// Holds a job against the rules without beginning it: nothing is opened or stored.
    ///
    /// A device is locked only for as long as it takes to ask it for the size of its state, and only
    /// when nothing else is found. Blocking.
    package func check(_ spec: JobSpec) -> JobCheck {
        var findings = Findings()
        var admission = admission
        _ = findings.hold { () throws(Problem) in try checkAccepting() }
        admission.checkShape(of: spec.work, &findings)
        if let id = spec.id {
            _ = findings.hold { () throws(Problem) in try checkUnused(id) }
            _ = findings.hold { () throws(Problem) in try checkImageName(of: id, spec.work) }
        }
        if !workers.hasPlace { findings.note(Self.noPlace) }
        for device in spec.work.devices {
            guard let refusal = locks.refusal(of: device) else { continue }
            findings.note(refusal)
            admission.taken.insert(device)
        }
        if case .restore(let image, _, let isCopyAccepted, _) = spec.work {
            findings.note(catalogue.refusal(of: image, isCopyAccepted: isCopyAccepted))
            checkFiles(of: image, &findings)
        }
        let admitted = admission.survey(spec, &findings)
        let sets = admitted.flatMap(expectedSets)
        return JobCheck(
            problems: findings.problems,
            warnings: admitted.map { warnings(of: spec, $0, sets) } ?? [],
            setNanoseconds: sets,
            stateByteCount: admitted.flatMap { admitted in
                stateByteCount(of: spec.work, admitted, mayAsk: findings.problems.isEmpty)
            }
        )
    }

    /// All of an image but its content, which takes as long to verify as to restore.
    private func checkFiles(of id: ImageID, _ findings: inout Findings) {
        guard let image = catalogue.record(id) else { return }
        _ = findings.hold { () throws(Problem) in try imageFiles.open(image) }
    }

    private func warnings(
        of spec: JobSpec,
        _ admitted: JobAdmission.Admitted,
        _ sets: UInt64?
    ) -> [String] {
        let work = spec.work
        var warnings: [String] = []
        for (side, _, session) in admitted.members.sessions {
            let (device, record) = (session.device.device, session.record)
            if side == .target || work.kind == .reset, record.holdsOwnContent {
                warnings.append("The content of \(device) (\(record.content.rawValue)) is lost.")
            }
            if side == .source, work.kind == .migrate,
                session.device.session.support.flags?.contains(.preCopy) == false
            {
                warnings.append(
                    "\(device) has no pre-copy: all of its state moves in the downtime."
                )
            }
        }
        let limit = spec.limits.downtimeMilliseconds
        if work.kind == .migrate, let sets, sets / 1_000_000 >= limit {
            warnings.append(
                "The SETs of the downtime took \(sets / 1_000_000) ms in earlier jobs; downtime_ms "
                    + "is \(limit)."
            )
        }
        if workers.isWaitExpected(for: max(1, admitted.members.all.count)) {
            warnings.append("The job waits until other jobs have given workers back.")
        }
        return warnings
    }

    private func stateByteCount(
        of work: JobSpec.Work,
        _ admitted: JobAdmission.Admitted,
        mayAsk: Bool
    ) -> UInt64? {
        if let image = admitted.members.image { return image.byteCount }
        guard work.hasSource, mayAsk else { return nil }
        var sum: UInt64 = 0
        for member in admitted.members.all {
            guard let source = member.source?.device, let size = askSize(of: source) else {
                return nil
            }
            sum = sum.addingReportingOverflow(size).overflow ? .max : sum + size
        }
        return sum
    }

    /// MIG_DATA_SIZE of a device; nil when a job has it by now, or the driver cannot tell.
    private func askSize(of device: DrivenDevice) -> UInt64? {
        let size = try? locks.holding(device.device, "it is asked for the size of its state") {
            () throws(Problem) in device.stopCopyByteCount()
        }
        return size.flatMap(\.self)
    }
}
