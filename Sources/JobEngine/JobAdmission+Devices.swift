internal import MigrationCore
internal import MigrationPorts

/// What each device of a job has to be; nil, with the reason noted, where one is not.
extension JobAdmission {
    func source(_ device: DeviceID, _ findings: inout Findings) -> OpenSession? {
        let isMigratable = isMigratable(device, &findings)
        guard let session = session(device, &findings) else { return nil }
        let content = session.record.content
        switch content {
        case .live, .loaded: return runs(session, &findings) && isMigratable ? session : nil
        case .lost:
            findings.note(
                content.problem(
                    .contentLost,
                    device,
                    session,
                    "The content of \(device) was lost; nothing is left."
                )
            )
        case .empty:
            findings.note(
                content.problem(
                    .noSession,
                    device,
                    session,
                    "The session on \(device) has no content: there is nothing to move."
                )
            )
        }
        return nil
    }

    /// A source begins in RUNNING, and taking it anywhere lets it run until it is quiesced.
    private func runs(_ session: OpenSession, _ findings: inout Findings) -> Bool {
        let device = session.device.device
        if let bar = session.bar {
            findings.note(bar)
            return false
        }
        guard let state = session.device.lastState, state != .known(.running),
            !taken.contains(device)
        else { return true }
        var facts = Problem.Facts(device: device)
        facts.session = session.record.id
        facts.reasons = ["The device is in \(state.kernelName)."]
        findings.note(
            Problem(.incompatible, "\(device) is not in RUNNING, where a source begins.", facts)
        )
        return false
    }

    func target(
        _ device: DeviceID,
        discard: Bool,
        _ findings: inout Findings
    ) -> OpenSession? {
        let isMigratable = isMigratable(device, &findings)
        guard let session = session(device, &findings) else { return nil }
        let record = session.record
        guard !record.holdsOwnContent || discard else {
            findings.note(
                record.content.problem(
                    .targetHasContent,
                    device,
                    session,
                    "\(device) has content that would be lost; say discard_target_content to lose "
                        + "it."
                )
            )
            return nil
        }
        return isMigratable ? session : nil
    }

    /// Nothing is said of a device that is not there: its name is at fault.
    func session(_ device: DeviceID, _ findings: inout Findings) -> OpenSession? {
        if let session = sessions.open(on: device) { return session }
        guard let (backend, record) = try? backends.owner(of: device) else { return nil }
        if let reason = record.listedOnly {
            findings.note(.listedOnly(device, reason))
            return nil
        }
        let holders = backend.holders(of: device)
        guard holders.isEmpty else {
            findings.note(.inUse(device, by: holders))
            return nil
        }
        findings.note(
            Problem(
                .noSession,
                "\(device) has no session: open one, or hand the device in, first.",
                Problem.Facts(device: device)
            )
        )
        return nil
    }

    private func isMigratable(_ device: DeviceID, _ findings: inout Findings) -> Bool {
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
            findings.note(Problem(.notMigratable, "\(device) cannot be migrated.", facts))
            return false
        case .recreate:
            var facts = Problem.Facts(device: device)
            facts.reasons = ["Devices of this kind have no state stream; they are made anew."]
            findings.note(Problem(.notMigratable, "\(device) has no state stream.", facts))
            return false
        default: return true
        }
    }

    func flags(of session: OpenSession, _ findings: inout Findings) -> MigrationFlags? {
        if let flags = session.device.session.support.flags { return flags }
        let device = session.device.device
        findings.note(
            Problem(
                .notMigratable,
                "\(device) has no migration flags.",
                Problem.Facts(device: device)
            )
        )
        return nil
    }

    // MARK: Compatibility

    func checkFit(
        _ source: OpenSession,
        _ target: OpenSession,
        _ findings: inout Findings
    ) {
        guard source.facts.backend == target.facts.backend else {
            var facts = Problem.Facts(device: target.device.device)
            facts.reasons = ["One of them is simulated and the other one is not."]
            findings.note(
                Problem(
                    .incompatible,
                    "The state of \(source.device.device) does not fit \(target.device.device).",
                    facts
                )
            )
            return
        }
        check(
            target,
            driver: source.facts.driver,
            vendorID: source.facts.vendorID,
            deviceID: source.facts.deviceID,
            &findings
        )
    }

    func checkFit(
        _ member: ImageRecord.Member,
        _ target: OpenSession,
        _ findings: inout Findings
    ) {
        check(
            target,
            driver: member.driver,
            vendorID: member.vendorID,
            deviceID: member.deviceID,
            &findings
        )
    }

    /// What can be told before the driver's own header is loaded, which is the real judge.
    private func check(
        _ target: OpenSession,
        driver: String?,
        vendorID: UInt32?,
        deviceID: UInt32?,
        _ findings: inout Findings
    ) {
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
        guard !reasons.isEmpty else { return }
        var facts = Problem.Facts(device: target.device.device)
        facts.reasons = reasons
        findings.note(
            Problem(.incompatible, "The state does not fit \(target.device.device).", facts)
        )
    }

    // MARK: Images

    /// The image of a restore, which moves as the set it was saved as.
    func image(
        _ id: ImageID,
        _ wanted: [JobSpec.RestoreMember],
        _ findings: inout Findings
    ) -> ImageRecord? {
        guard let image = images.record(id) else {
            findings.note(ImageCatalogue.missing(id))
            return nil
        }
        if image.members.count != wanted.count {
            findings.note(
                Problem(
                    .invalidField,
                    at: "/devices",
                    "Image \(id) has \(image.members.count) devices, which move together; this "
                        + "restore names \(wanted.count)."
                )
            )
        }
        return image
    }

    func imageMember(
        _ wanted: JobSpec.RestoreMember,
        _ number: Int,
        of image: ImageRecord,
        _ findings: inout Findings
    ) -> Int? {
        let pointer = "/devices/\(number)/source"
        guard let source = wanted.source else {
            if image.members.count == 1 { return 0 }
            findings.note(
                Problem(
                    .invalidField,
                    at: pointer,
                    "Image \(image.id) has several devices: name which one goes where."
                )
            )
            return nil
        }
        if let index = image.members.firstIndex(where: { $0.device == source }) { return index }
        findings.note(
            Problem(
                .invalidField,
                at: pointer,
                "Image \(image.id) has no state of \(source).",
                source
            )
        )
        return nil
    }
}

extension SessionRecord {
    /// Whether it holds content that nothing makes again.
    var holdsOwnContent: Bool { (content == .live || content == .loaded) && !isReproducible }
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
